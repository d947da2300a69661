import { spawnSync } from 'node:child_process';

/** A program of somebody else that tests talk to. */
export interface Peer {
  /** For `describe.skipIf` and `it.skipIf`. */
  readonly missing: boolean;
  /** For the titles of tests: ` (skopeo is not installed)`, or nothing. */
  readonly note: string;
  /** What the program printed. @throws with what it said when it fails */
  run(args: readonly string[], options?: PeerRun): string;
  tries(args: readonly string[], options?: PeerRun): PeerResult;
}

export interface PeerRun {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface PeerResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PeerOptions {
  /** How it is asked whether it is there. */
  readonly probe?: readonly string[];
  /** Never required: tests of it run only where it happens to be. */
  readonly optional?: boolean;
}

/** Looks for a program. One that is not there is an error where OCL_REQUIRE_PEERS is set. */
export function peer(name: string, { probe = ['--version'], optional = false }: PeerOptions = {}): Peer {
  const missing = spawnSync(name, probe).status !== 0;
  const why = `${name} is not installed`;
  if (missing && !optional && process.env['OCL_REQUIRE_PEERS'] !== undefined)
    throw new Error(`${why}, and OCL_REQUIRE_PEERS asks for it`);
  function tries(args: readonly string[], options: PeerRun = {}): PeerResult {
    const env = { ...process.env, ...options.env };
    const { status, stdout, stderr } = spawnSync(name, args, {
      encoding: 'utf8',
      cwd: options.cwd,
      env,
      maxBuffer: 64 << 20,
    });
    return { status: status ?? -1, stdout, stderr };
  }
  return {
    missing,
    note: missing ? ` (${why})` : '',
    tries,
    run(args, options) {
      const { status, stdout, stderr } = tries(args, options);
      if (status !== 0) throw new Error(`${name} ${args.join(' ')} ends with ${status}: ${stderr}`);
      return stdout;
    },
  };
}
