import { spawnSync } from 'node:child_process';

export type Peer =
  | {
      readonly available: true;
      run(args: readonly string[], options?: PeerRun): string;
      tries(args: readonly string[], options?: PeerRun): PeerResult;
    }
  | { readonly available: false; readonly why: string };

export interface PeerRun {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface PeerResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A program of somebody else that tests talk to. Missing ones are skipped with a reason, or, where OCL_REQUIRE_PEERS is set, an error.
 * `run` throws what the program said when it fails; `tries` hands it back.
 */
export function peer(name: string, probe: readonly string[] = ['--version']): Peer {
  if (spawnSync(name, probe).status !== 0) {
    const why = `${name} is not installed`;
    if (process.env['OCL_REQUIRE_PEERS'] !== undefined) throw new Error(`${why}, and OCL_REQUIRE_PEERS asks for it`);
    return { available: false, why };
  }
  function tries(args: readonly string[], options: PeerRun = {}): PeerResult {
    const { status, stdout, stderr } = spawnSync(name, args, {
      encoding: 'utf8',
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      maxBuffer: 64 << 20,
    });
    return { status: status ?? -1, stdout, stderr };
  }
  return {
    available: true,
    tries,
    run(args, options) {
      const { status, stdout, stderr } = tries(args, options);
      if (status !== 0) throw new Error(`${name} ${args.join(' ')} ends with ${status}: ${stderr}`);
      return stdout;
    },
  };
}
