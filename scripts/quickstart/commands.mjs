import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'bin', 'ocl.js');

/** Runs a command as a user would, and shows it before its output. */
export async function ocl(...args) {
  console.log(`\n$ ocl ${args.join(' ')}`);
  const [status] = await once(start(args, 'inherit'), 'close');
  if (status !== 0) throw new Error(`ocl ${args[0]} ended with ${status}`);
}

/** Starts `ocl serve` and waits until it says where. The others go on meanwhile. */
export async function serve(...args) {
  console.log(`\n$ ocl serve ${args.join(' ')} &`);
  const child = start(['serve', ...args], 'pipe');
  const ended = once(child, 'close');
  let stopped = false;
  const url = await new Promise((resolve, reject) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      // What it says of being stopped would only disturb.
      if (!stopped) process.stderr.write(text);
      said += text;
      const found = / at (http:\S+?)(?: \(|;)/.exec(said);
      if (found !== null) resolve(found[1]);
    });
    ended.then(([status]) => reject(new Error(`ocl serve ended with ${status}`)), reject);
  });
  return {
    url,
    host: new URL(url).host,
    async stop() {
      stopped = true;
      child.kill('SIGINT');
      await ended;
    },
  };
}

function start(args, stderr) {
  return spawn(process.execPath, [program, ...args], { cwd: root, stdio: ['ignore', 'inherit', stderr] });
}

/** The wanted port when nobody has it, else one that is free. */
export async function choosePort(wanted) {
  return (await canListen(wanted)) ?? (await canListen(0));
}

async function canListen(port) {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return undefined;
  }
  const chosen = server.address().port;
  server.close();
  await once(server, 'close');
  return chosen;
}
