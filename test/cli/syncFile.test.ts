import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ACTIONS } from '../../src/cli/sync/actions.ts';
import { EXIT } from '../../src/cli/exit.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { startScriptedServer, type ScriptedServer } from '../support/scriptedServer.ts';

const temporary = temporaryDirectories();
const archives = resolve(import.meta.dirname, '../../testdata/archives');

const CLEAN = 'sync: [{type: image, source: a.test/x:1, target: b.test/x:1, interval: 1h}]\n';
const WARNED =
  'creds: [{registry: a.test, user: me, pass: hush}]\nsync: [{type: image, source: a.test/x:1, target: b.test/x:1}]\n';
const BROKEN = `sync:\n  - source: '{{ nofunc }}'\n`;

describe('an action of sync', () => {
  it.each(ACTIONS.map(({ usage }) => usage.split(' ')[0] ?? ''))('has help with an example: %s', async (name) => {
    const { status, stdout, stderr } = await ocl(['sync', name, '--help']);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^Examples:\n {2}ocl sync ${name === 'once' ? '' : `${name}\\b`}`, 'm'));
  });

  it('stands before or after the file, as in regsync', async () => {
    for (const words of [
      ['once', '-c', '-'],
      ['-c', '-', 'once'],
      ['--config=-', 'once'],
      ['-c', '-'],
    ])
      expect(await oclDone(['sync', ...words], { stdin: 'version: 1\n' })).toMatchObject({ status: 0 });
    const check = await oclDone(['sync', '-c', '-', 'check', '--json'], { stdin: 'version: 1\n' });
    expect(check.stderr).not.toContain('copied');
  });

  it.each([
    ['sync frobnicate -c x', 'action is "frobnicate", and can be once, '],
    ['sync --abort-on-error check -c x', '"check" must stand before the options of its own'],
    ['sync lint -c x --exit-code', 'there is no option --exit'],
    ['sync lint', 'it needs --config FILE'],
  ])('that is not meant is refused: ocl %s', async (line, message) => {
    const { status, stderr } = await ocl(line.split(' '));
    expect([status, stderr]).toEqual([EXIT.usage, expect.stringContaining(message)]);
  });
});

describe('sync lint', () => {
  it.each<[string, string, readonly string[], number]>([
    ['nothing', CLEAN, ['--strict'], EXIT.done],
    ['warnings', WARNED, [], EXIT.done],
    ['warnings, strictly', WARNED, ['--strict'], EXIT.failed],
    ['what is for information, strictly', CLEAN.replace(', interval: 1h', ''), ['--strict'], EXIT.done],
    ['the same for a server', CLEAN.replace(', interval: 1h', ''), ['--strict', '--server'], EXIT.failed],
    ['a template that fails', BROKEN, [], EXIT.usage],
  ])('finds %s', async (_, stdin, options, wanted) => {
    const { status, stderr } = await ocl(['sync', 'lint', '-c', '-', ...options], { stdin });
    expect(status).toBe(wanted);
    if (wanted === EXIT.usage) expect(stderr).toContain('Cannot read <stdin>:2:5: the template of source');
  });

  it('says where, for people and for programs', async () => {
    const { stdout, stderr } = await oclDone(['sync', 'lint', '-c', '-'], { stdin: WARNED });
    expect(stdout).toMatch(/^<stdin>:1:38: warning: pass stands in clear/);
    expect(stderr).toBe('1 warning, 1 for information\n');
    const json = await oclDone(['sync', 'lint', '-c', '-', '--json'], { stdin: WARNED });
    expect(jsonLines(json.stdout)).toEqual([
      { type: 'finding', level: 'warning', file: '<stdin>', line: 1, column: 38, message: expect.any(String) },
      { type: 'finding', level: 'info', file: '<stdin>', line: 2, column: 1, message: expect.any(String) },
      { type: 'summary', warnings: 1, infos: 1 },
    ]);
    expect(stdout + json.stdout).not.toContain('hush');
  });
});

describe('sync config', () => {
  it('prints a file that is the same, without its secrets unless they are asked for', async () => {
    const hidden = await oclDone(['sync', 'config', '-c', '-'], { stdin: WARNED });
    expect(hidden.stdout).toContain('pass: "***"');
    const shown = await oclDone(['sync', 'config', '-c', '-', '--show-secrets'], { stdin: WARNED });
    expect(shown.stdout).toContain('pass: "hush"');
    const again = await oclDone(['sync', 'config', '-c', '-', '--show-secrets'], { stdin: shown.stdout });
    expect(again.stdout).toBe(shown.stdout);
    const json = await oclDone(['sync', 'config', '-c', '-', '--json'], { stdin: WARNED });
    expect(jsonLines(json.stdout)).toEqual([
      expect.objectContaining({ creds: [{ registry: 'a.test', user: 'me', pass: '***' }] }),
    ]);
  });
});

it('sync schema prints what is shipped', async () => {
  const { stdout } = await oclDone(['sync', 'schema', '--json']);
  expect(jsonLines(stdout)).toEqual([expect.objectContaining({ title: 'A file of ocl sync, or of regsync' })]);
});

describe('requests of a sync', () => {
  async function asked(more: string, env: Record<string, string> = {}): Promise<ScriptedServer['seen']> {
    const server = await startScriptedServer({
      '*': (response, { headers }) => {
        if (headers.authorization !== undefined) return void response.writeHead(404).end();
        response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
      },
    });
    onTestFinished(() => server.close());
    await mkdir(join(env['DOCKER_CONFIG'] ?? '', '.'), { recursive: true });
    if (env['DOCKER_CONFIG'] !== undefined)
      await writeFile(
        join(env['DOCKER_CONFIG'], 'config.json'),
        JSON.stringify({ auths: { [server.host]: { auth: Buffer.from('me:hush').toString('base64') } } }),
      );
    const stdin = `creds: [{registry: "${server.host}", tls: disabled}]\n${more}\nsync: [{type: image, source: "${server.host}/x:1", target: "ocidir://out:1"}]\n`;
    await ocl(['sync', '-c', '-'], { stdin, env, cwd: await temporary() });
    return server.seen;
  }

  it.each([
    ['', /^ocl\/\d/],
    ['defaults: {userAgent: shop/1}', /^shop\/1$/],
  ])('name their program: %j', async (more, name) => {
    const seen = await asked(more);
    expect(seen.length).toBeGreaterThan(0);
    for (const { headers } of seen) expect(headers['user-agent']).toMatch(name);
  });

  it.each([
    ['', true],
    ['defaults: {skipDockerConfig: true}', false],
  ])('use the logins of docker: %j', async (more, used) => {
    const seen = await asked(more, { DOCKER_CONFIG: await temporary() });
    expect(seen.some(({ headers }) => headers.authorization !== undefined)).toBe(used);
  });
});

describe('archives are sources', () => {
  it.each([
    ['image', 'oci-archive:OCI', 'ocidir://out:1'],
    ['image', 'oci-archive:OCI:1', 'ocidir://out:1'],
    ['image', 'ocifile://OCI', 'ocidir://out:1'],
    ['image', 'docker-archive:DOCKER', 'ocidir://out:1'],
    ['repository', 'oci-archive:OCI', 'ocidir://out'],
    ['repository', 'ocifile://OCI', 'ocidir://out'],
    ['repository', 'docker-archive:DOCKER', 'ocidir://out'],
  ])('of a step of type %s: %s', async (type, name, target) => {
    const cwd = await temporary();
    const source = name
      .replace('OCI', join(archives, 'skopeo-oci-archive.tar'))
      .replace('DOCKER', join(archives, 'skopeo-docker-archive.tar'));
    const stdin = `sync: [{type: ${type}, source: "${source}", target: "${target}"}]\n`;
    const summary = async (): Promise<unknown> =>
      jsonLines((await oclDone(['sync', '-c', '-', '--json'], { stdin, cwd })).stdout).at(-1);
    expect(await summary()).toMatchObject({ copied: 1, current: 0 });
    expect(await summary()).toMatchObject({ copied: 0, current: 1 });
    expect(jsonLines((await oclDone(['ls', 'out', '--json'], { cwd })).stdout)).toHaveLength(1);
  });

  it('of which one image must be named where there are several', async () => {
    const source = `oci-archive:${join(archives, 'umoci-pax.tar.zst')}`;
    const stdin = `sync: [{type: image, source: "${source}", target: "ocidir://out:1"}]\n`;
    const { status, stderr } = await ocl(['sync', '-c', '-'], { stdin, cwd: await temporary() });
    expect([status, stderr]).toEqual([EXIT.failed, expect.stringContaining('OCL_AMBIGUOUS')]);
  });
});
