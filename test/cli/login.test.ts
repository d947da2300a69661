import { spawn, spawnSync } from 'node:child_process';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { bundle, ended, firstLine } from '../support/child.ts';
import { jsonLines, ocl, oclDone, PROGRAM, resultOf, type CliRun } from '../support/cli.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { said } from '../support/processes.ts';
import { reply, startScriptedServer, type Handler, type ScriptedServer } from '../support/scriptedServer.ts';
import { ACCOUNT, SERVERS } from '../support/servers.ts';

const temporary = temporaryDirectories();
const { username, password } = ACCOUNT;

/** A home of its own, and what the command then answers. */
async function atHome(env: Readonly<Record<string, string>> = {}): Promise<{
  readonly home: string;
  readonly config: string;
  readonly run: (args: readonly string[], options?: CliRun) => ReturnType<typeof ocl>;
}> {
  const home = await temporary();
  const surroundings = { HOME: home, XDG_RUNTIME_DIR: join(home, 'run'), ...env };
  return {
    home,
    config: join(home, '.docker', 'config.json'),
    run: (args, options = {}) => ocl(args, { ...options, env: { ...surroundings, ...options.env } }),
  };
}

const basic: Handler = (response, request) => {
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const answer =
    request.headers.authorization === wanted
      ? reply(200, {}, '{}')
      : reply(401, { 'www-authenticate': 'Basic realm="test"' });
  return answer(response, request);
};

let door: ScriptedServer;
let open: ScriptedServer;
let locked: ScriptedServer;
beforeAll(async () => {
  door = await startScriptedServer({ 'GET /v2/': basic });
  open = await startScriptedServer({ 'GET /v2/': reply(200, {}, '{}') });
  locked = await startScriptedServer({ 'GET /v2/': reply(401, { 'www-authenticate': 'Basic realm="test"' }) });
});
afterAll(async () => {
  await door.close();
  await open.close();
  await locked.close();
});

const login = (host: string): readonly string[] => ['login', host, '-u', username, '--password-stdin'];

describe('login', () => {
  const kinds = SERVERS.filter(({ name }) => ['2.8, password', '2.8, tokens'].includes(name)).map((kind) => ({
    name: kind.name,
    why: kind.why,
    start: () => kind.start(),
  }));
  it.for([{ name: 'a scripted server', why: undefined, start: undefined }, ...kinds])(
    'is tried at the registry, kept, told and forgotten: $name',
    async ({ why, start }, { skip }) => {
      skip(why !== undefined, why);
      const server = await start?.();
      try {
        const host = server?.host ?? door.host;
        const { config, run } = await atHome();
        const wrong = await run(login(host), { stdin: 'wrong-password\n' });
        expect([wrong.status, wrong.stdout]).toEqual([EXIT.refused, '']);
        expect(wrong.stderr).toMatch(/error: Cannot log in to .*\[OCL_UNAUTHORIZED\]\nhint: {2}look at the user name/);
        await expect(stat(config)).rejects.toThrow('ENOENT');

        const right = await run([...login(host), '--json'], { stdin: `${password}\r\n` });
        expect(right.status).toBe(EXIT.done);
        expect(jsonLines(right.stdout)).toEqual([
          { registry: host, account: username, tested: true, kept: { kind: 'file', where: config } },
        ]);
        expect(right.stderr).toMatch(/kept unencrypted in .*config\.json/);
        expect((await stat(config)).mode & 0o777).toBe(0o600);

        const who = await run(['whoami', host, '--check', '--json']);
        expect(jsonLines(who.stdout)).toEqual([
          {
            registry: host,
            account: username,
            credential: 'password',
            source: { kind: 'file', where: config },
            check: 'accepted',
          },
        ]);
        const all = await run(['whoami']);
        expect(all.stdout).toMatch(new RegExp(`REGISTRY .*\n${host} +${username} +file: .*config.json`));

        const out = await run(['logout', host]);
        expect([out.status, out.stderr]).toEqual([EXIT.done, `logged out of ${host}: taken from ${config}\n`]);
        expect((await run(['logout', host])).stderr).toBe(`no login to ${host} was kept\n`);
        const nobody = await run(['whoami', host]);
        expect([nobody.status, nobody.stderr]).toEqual([EXIT.notFound, expect.stringContaining(`ocl login ${host}`)]);
        for (const { stdout, stderr } of [wrong, right, who, all, out])
          expect(stdout + stderr).not.toMatch(/wrong-password|pässword|cMOk/);
      } finally {
        await server?.stop();
      }
    },
  );

  it('that the registry does not ask for is kept, and said not to be tested', async () => {
    const { run, config } = await atHome();
    const { status, stderr } = await run(login(open.host), { stdin: 'any' });
    expect([status, stderr]).toEqual([EXIT.done, expect.stringContaining('could not be tested')]);
    expect(Object.keys((JSON.parse(await readFile(config, 'utf8')) as { auths: object }).auths)).toEqual([open.host]);
    expect((await run(['whoami', open.host, '--check'])).stdout).toMatch(/unasked/);
  });

  it('goes into the file that is named, where parts of a registry have logins of their own', async () => {
    const { home, run } = await atHome();
    const file = join(home, 'auth.json');
    const refused = await run(login(`${door.host}/team`), { stdin: password });
    expect([refused.status, refused.stderr]).toEqual([
      EXIT.usage,
      expect.stringContaining(`ocl login ${door.host}/team --auth-file auth.json`),
    ]);
    const named = await run([...login(`${door.host}/team`), '--auth-file', file], { stdin: password });
    expect([named.status, named.stderr]).toEqual([EXIT.done, expect.stringContaining(`REGISTRY_AUTH_FILE=${file}`)]);
    const env = { REGISTRY_AUTH_FILE: file };
    expect((await run(login(`${door.host}/other/app`), { stdin: password, env })).status).toBe(EXIT.done);
    const who = await run(['whoami', '--json'], { env });
    expect(jsonLines(who.stdout).map(({ registry }) => registry)).toEqual([
      `${door.host}/other/app`,
      `${door.host}/team`,
    ]);
    expect((await run(['whoami', `${door.host}/team/app`], { env })).status).toBe(EXIT.done);
    expect((await run(['whoami', door.host], { env })).status).toBe(EXIT.notFound);
    expect((await run(['logout', '--all'], { env })).stderr).toMatch(/(?:logged out of .*\n){2}/);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ auths: {} });
  });

  it('that no longer works is found by whoami --check, among those that do', async () => {
    const { run, config } = await atHome();
    expect((await run(login(door.host), { stdin: password })).status).toBe(EXIT.done);
    const one = await oclDone(['whoami', '--json'], { env: { HOME: join(config, '../..') } });
    expect(jsonLines(one.stdout)).toHaveLength(1);
    const { auths } = JSON.parse(await readFile(config, 'utf8')) as { auths: Record<string, object> };
    await writeFile(
      config,
      JSON.stringify({ auths: { ...auths, [locked.host]: { username: 'gone', password: 's3cret' } } }),
    );
    const both = await run(['whoami', '--check']);
    expect(both.status).toBe(EXIT.failed);
    expect(both.stdout).toMatch(new RegExp(`${door.host} +pusher .* accepted`));
    expect(both.stdout).toMatch(new RegExp(`${locked.host} +gone .* Cannot log in to ${locked.host} as gone: .*401`));
    const alone = await run(['whoami', locked.host, '--check', '--json']);
    expect(alone.status).toBe(EXIT.refused);
    expect(jsonLines(alone.stdout)).toMatchObject([{ check: 'failed', error: { code: 'OCL_UNAUTHORIZED' } }]);
    expect(both.stdout + alone.stdout).not.toContain('s3cret');
  });

  it.each([
    ['no terminal', ['login', 'a.example'], 'ocl login a.example -u USER --password-stdin < FILE'],
    ['no terminal and no host', ['login', '-u', 'me'], 'ocl login docker.io -u me --password-stdin < FILE'],
    ['no account', ['login', 'a.example', '--password-stdin'], '-u USER --password-stdin'],
    ['two secrets', ['login', '-u', 'me', '--password-stdin', '--identity-token-stdin'], 'one of both'],
    ['an account with a colon', ['login', 'a.example', '-u', 'a:b', '--password-stdin'], '-u USER'],
    ['an empty password', ['login', 'a.example', '-u', 'me', '--password-stdin'], 'it is empty'],
    [
      'a password that can be read',
      ['login', 'a.example', '-u', 'me', '-p', 'x'],
      'ocl login HOST -u USER --password-stdin',
    ],
    ['no registry', ['login', 'a b', '-u', 'me'], 'HOST[:PORT]'],
    ['logout of nothing', ['logout'], 'ocl logout HOST'],
    ['logout of one and all', ['logout', 'a.example', '--all'], 'ocl logout a.example'],
  ])('with %s is a wrong command line', async (_, args, hint) => {
    const { run } = await atHome();
    const { status, stderr } = await run(args);
    expect([status, stderr]).toEqual([EXIT.usage, expect.stringContaining(hint)]);
    expect(stderr).toMatch(/\[OCL_USAGE\]/);
  });

  it('is taken from the environment for its host, and a logout says that it is still there', async () => {
    const { run } = await atHome({
      OCL_REGISTRY: door.host,
      OCL_USERNAME: username,
      OCL_PASSWORD: password,
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { 'a.example': { username: 'ci', password: 'x' } } }),
    });
    expect((await run(['whoami', door.host, '--check'])).stdout).toMatch(/pusher +environment: OCL_USERNAME +accepted/);
    expect((await run(['whoami', 'a.example'])).stdout).toMatch(/ci +environment: DOCKER_AUTH_CONFIG/);
    const out = await run(['logout', door.host]);
    expect(out.stderr).toMatch(/no login .* was kept\n.*still gets the login in OCL_USERNAME/);
    const all = await run(['logout', '--all']);
    for (const [host, where] of [
      [door.host, 'OCL_USERNAME'],
      ['a.example', 'DOCKER_AUTH_CONFIG'],
    ])
      expect(all.stderr).toContain(`${host} still gets the login in ${where}`);
    // Who looks into one file alone means no other place.
    expect((await run(['logout', '--all', '--auth-file', 'none.json'])).stderr).not.toContain('still gets');
    const part = await run(['whoami', door.host], { env: { OCL_REGISTRY: '' } });
    expect([part.status, part.stderr]).toEqual([EXIT.usage, expect.stringContaining('OCL_REGISTRY is not set')]);
  });
});

describe('a login with helpers', () => {
  /** A credential helper as tools install them, which keeps what it is given in a file and counts its runs. */
  const HELPER = `#!${process.execPath}
const { readFileSync, writeFileSync, appendFileSync, existsSync } = require('node:fs');
const state = __filename + '.state';
const kept = existsSync(state) ? JSON.parse(readFileSync(state, 'utf8')) : {};
const input = readFileSync(0, 'utf8');
const action = process.argv[2];
appendFileSync(__filename + '.log', action + ' ' + (action === 'store' ? JSON.parse(input).ServerURL : input) + '\\n');
const save = () => writeFileSync(state, JSON.stringify(kept));
if (action === 'store') { const login = JSON.parse(input); kept[login.ServerURL] = login; save(); }
else if (action === 'erase') { delete kept[input]; save(); }
else if (action === 'list') console.log(JSON.stringify(Object.fromEntries(Object.values(kept).map((k) => [k.ServerURL, k.Username]))));
else if (kept[input]) console.log(JSON.stringify(kept[input]));
else { console.log('credentials not found in native keychain'); process.exit(1); }
`;

  async function withHelpers(
    config: object,
  ): Promise<Awaited<ReturnType<typeof atHome>> & { readonly log: (name: string) => Promise<string> }> {
    const bin = await temporary();
    for (const name of ['own', 'store']) {
      await writeFile(join(bin, `docker-credential-${name}`), HELPER);
      await chmod(join(bin, `docker-credential-${name}`), 0o755);
    }
    await writeFile(join(bin, 'docker-credential-maker'), '#!/bin/sh\necho not implemented; exit 1\n', { mode: 0o755 });
    const docker = await temporary();
    await writeFile(join(docker, 'config.json'), JSON.stringify(config));
    const side = await atHome({ PATH: `${bin}:/usr/bin:/bin`, DOCKER_CONFIG: docker });
    return {
      ...side,
      config: join(docker, 'config.json'),
      log: (name) => readFile(join(bin, `docker-credential-${name}.log`), 'utf8'),
    };
  }

  it.each([
    ['own', { credHelpers: { [`HOST`]: 'own' }, credsStore: 'store' }],
    ['store', { credHelpers: { 'other.example': 'own' }, credsStore: 'store' }],
  ])('is kept by %s alone', async (name, settings) => {
    const text = JSON.stringify({ ...settings, HttpHeaders: { big: '12345678901234567890' } });
    const { config, log, run } = await withHelpers(JSON.parse(text.replace('HOST', door.host)) as object);
    const kept = await run(login(door.host), { stdin: password });
    expect([kept.status, kept.stderr]).toEqual([
      EXIT.done,
      `logged in to ${door.host} as ${username}\nkept by docker-credential-${name}\n`,
    ]);
    expect(await readFile(config, 'utf8')).not.toContain('"auth":');
    expect((await run(['whoami', '--check'])).stdout).toMatch(
      new RegExp(`${door.host} +pusher +helper: ${name} \\(named in .*config.json\\) +accepted`),
    );
    const out = await run(['logout', door.host]);
    expect(out.stderr).toBe(`logged out of ${door.host}: taken from docker-credential-${name}\n`);
    expect((await run(['whoami', door.host])).status).toBe(EXIT.notFound);
    expect(await log(name)).toMatch(new RegExp(`store ${door.host}\n(.*\n)*erase ${door.host}\n`));
    expect(JSON.parse(await readFile(config, 'utf8'))).toMatchObject({ HttpHeaders: {}, auths: {} });
  });

  it('takes an identity token, and lists and forgets all', async () => {
    const { run, log } = await withHelpers({ credsStore: 'store' });
    const token = ['login', open.host, '--identity-token-stdin'];
    expect((await run(token, { stdin: 'refresh' })).status).toBe(EXIT.done);
    expect((await run(login(door.host), { stdin: password })).status).toBe(EXIT.done);
    const who = await run(['whoami', '--json']);
    expect(
      jsonLines(who.stdout).map(
        ({ registry, account, credential }) => `${String(registry)} ${String(account)} ${String(credential)}`,
      ),
    ).toEqual([`${door.host} ${username} password`, `${open.host} undefined identity`].toSorted());
    const out = await run(['logout', '--all', '--json']);
    expect(
      jsonLines(out.stdout)
        .map(({ where, scope }) => `${String(where)} ${String(scope)}`)
        .toSorted(),
    ).toEqual([`store ${door.host}`, `store ${open.host}`].toSorted());
    expect(await log('store')).toContain('list');
    expect((await run(['whoami'])).stderr).toContain('no logins are kept');
  });

  it('is asked for by a sync under the name that its file says', async () => {
    const { run, log } = await withHelpers({});
    const creds = `{registry: "${door.host}", credHelper: docker-credential-own, credHost: kept.example, credExpire: 5m}`;
    const step = `{source: "${door.host}/app:1", target: "ocidir://./out:1", type: image}`;
    const { status } = await run(['sync', '--config', '-'], {
      stdin: `version: 1\ncreds: [${creds}]\nsync: [${step}]\n`,
      cwd: await temporary(),
    });
    expect(status).toBe(EXIT.failed);
    expect(await log('own')).toBe('get kept.example\n');
  });

  it('that make logins and keep none say where else one can be kept', async () => {
    const { run, config } = await withHelpers({ credsStore: 'maker' });
    const kept = await run(login(door.host), { stdin: password });
    expect(kept.status).toBe(EXIT.refused);
    expect(kept.stderr).toContain(`hint:  ${config} names this helper`);
    const who = await run(['whoami']);
    expect([who.status, who.stderr]).toEqual([EXIT.done, expect.stringMatching(/list the logins .*status 1/)]);
  });

  it('that are not installed stop the login and not what is public', async () => {
    const { run } = await withHelpers({ credsStore: 'elsewhere' });
    const kept = await run(login(door.host), { stdin: password });
    expect([kept.status, kept.stderr]).toEqual([EXIT.notFound, expect.stringContaining('it is not installed')]);
    const who = await run(['whoami', open.host]);
    expect(who.stderr).toMatch(/credential store "elsewhere", which is not installed/);
  });
});

const script = spawnSync('script', ['--version'], { encoding: 'utf8' });
const noTerminal = script.status !== 0 || !script.stdout.includes('util-linux');

describe.skipIf(noTerminal)(`login on a terminal${noTerminal ? ' (needs script of util-linux)' : ''}`, () => {
  function onTerminal(args: readonly string[], home: string): ReturnType<typeof spawn> {
    const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
    const { PATH = '' } = process.env;
    return spawn('script', ['-qefc', command, '/dev/null'], { env: { PATH, TERM: 'xterm', HOME: home } });
  }

  it('asks, and shows no password', async () => {
    const { home, config } = await atHome();
    const child = onTerminal(['login', door.host], home) as Parameters<typeof resultOf>[0];
    const result = resultOf(child);
    await said(child.stdout, /Account at .*: /);
    child.stdin.write('puzz\u007F\u007Fshe\u001B[Dr\r');
    await said(child.stdout, /not shown/);
    child.stdin.write(`${password}x\u007F\r`);
    const { status, stdout } = await result;
    expect(stdout).toContain('logged in to');
    expect(status).toBe(0);
    expect(stdout).not.toMatch(/p.ssword:1/);
    expect(await readFile(config, 'utf8')).toContain(Buffer.from(`${username}:${password}`).toString('base64'));
  });

  it('takes lines that are pasted, and ends by Ctrl-C with nothing kept', async () => {
    const { home, config } = await atHome();
    const pasted = onTerminal(['login', door.host], home) as Parameters<typeof resultOf>[0];
    const first = resultOf(pasted);
    await said(pasted.stdout, /Account at .*: /);
    pasted.stdin.write(`${username}\r${password}\r`);
    expect((await first).status).toBe(0);
    await oclDone(['logout', door.host], { env: { HOME: home } });

    const stopped = onTerminal(['login', door.host, '-u', 'me'], home) as Parameters<typeof resultOf>[0];
    const second = resultOf(stopped);
    await said(stopped.stdout, /not shown/);
    stopped.stdin.write('secr\u0003');
    expect((await second).status).toBe(EXIT.cancelled);
    expect(JSON.parse(await readFile(config, 'utf8'))).toEqual({ auths: {} });
  });
});

describe('a process that is killed while it stores logins', () => {
  it('leaves a file that is whole, and nothing that stops the next one', async () => {
    const program = await bundle('loginProgram.ts');
    const { run, config } = await atHome();
    try {
      for (let round = 0; round < 3; round++) {
        const child = program.start([config]);
        const gone = ended(child);
        await firstLine(child);
        child.kill('SIGKILL');
        await gone;
        expect(JSON.parse(await readFile(config, 'utf8'))).toMatchObject({ auths: { 'h0.example': {} } });
      }
      expect((await run(login(door.host), { stdin: password })).status).toBe(EXIT.done);
      const { auths } = JSON.parse(await readFile(config, 'utf8')) as { auths: Record<string, unknown> };
      expect(Object.keys(auths)).toEqual(expect.arrayContaining(['h0.example', 'h3.example', door.host]));
    } finally {
      await program.close();
    }
  });
});
