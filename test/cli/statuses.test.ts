import { chmod, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { jsonLines, ocl } from '../support/cli.ts';
import { reply, startScriptedServer } from '../support/scriptedServer.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();

async function library(): Promise<string> {
  const root = await temporary();
  await writeLibrary(root, makeShop());
  return root;
}

/** `error: Cannot …: … [CODE]` and perhaps a hint: nothing else, and nothing of the program's inside. */
const MESSAGE = /^error: Cannot [^\n]+ \[OCL_[A-Z_]+\]\n(?:hint: {2}[^\n]+\n)?$/;

describe('wrong usage', () => {
  it.each([
    ['no command', [], 'ocl --help'],
    ['an unknown command', ['exprot'], 'ocl --help'],
    ['an unknown option', ['ls', '.', '--frobnicate'], 'ocl ls --help'],
    ['a positional too few', ['copy', 'alpine'], 'ocl copy --help'],
    ['a positional too many', ['ping', 'a', 'b'], 'ocl ping --help'],
    ['a required option missing', ['export', './x'], 'ocl export --help'],
    ['a choice that is none', ['tag', 'list', 'x'], 'ocl tag --help'],
    ['a number that is none', ['copy', 'a', 'b', '--concurrency', 'many'], 'ocl copy --help'],
    ['a duration that is none', ['gc', '.', '--grace', 'soon'], 'ocl gc --help'],
    ['a platform that is none', ['copy', '--platform', 'linux', './a', './b'], ''],
    ['an address that is none', ['serve', '.', '--listen', 'here'], ''],
    ['a reference that is none', ['inspect', 'Up/Per:1:2'], ''],
  ])('%s ends with 64 and says what to do', async (_, args, hint) => {
    const { status, stdout, stderr } = await ocl(args);
    expect({ status, stdout }).toEqual({ status: EXIT.usage, stdout: '' });
    expect(stderr).toMatch(MESSAGE);
    expect(stderr).toContain(hint);
  });

  it('of an option by a wrong name names the right one', async () => {
    const { stderr } = await ocl(['exprot', 'x']);
    expect(stderr).toContain('export');
  });
});

describe('a failure', () => {
  it('tells what was not found', async () => {
    const root = await library();
    for (const args of [
      ['ls', `ocidir://${root}/team/web:9`],
      ['inspect', join(root, 'nothing')],
      ['copy', `ocidir://${root}/team/web:9`, `ocidir://${root}/other:1`],
      ['tag', 'rm', `ocidir://${root}/team/web:9`],
      ['export', `ocidir://${root}/team/web:9`, '-o', join(root, 'x.tar')],
      ['import', join(root, 'none.tar'), join(root, 'new')],
      ['sync', '--config', join(root, 'none.yaml')],
    ]) {
      const { status, stderr } = await ocl(args);
      expect({ args, status }).toEqual({ args, status: EXIT.notFound });
      expect(stderr).toMatch(MESSAGE);
    }
  });

  it('tells damage from bad content', async () => {
    const root = await library();
    const { tool, content } = makeShop();
    const [layer] = [...content.blobs.keys()].filter((digest) => {
      const { layers } = JSON.parse(Buffer.from(content.bytes(tool)).toString()) as { layers: { digest: string }[] };
      return layers[0]?.digest === digest;
    });
    const blob = join(root, 'tool', 'blobs', ...String(layer).split(':'));
    await chmod(blob, 0o644);
    await truncate(blob, 5);
    const checked = await ocl(['check', root]);
    expect(checked.status).toBe(EXIT.failed);
    expect(checked.stdout).toContain('tool: DAMAGED');
    expect(checked.stdout).toMatch(/team\/web: ok/);

    const copied = await ocl(['copy', '--reverify', `ocidir://${root}/tool:latest`, `ocidir://${root}/copy:1`]);
    expect(copied.status).toBe(EXIT.content);
    await rm(blob);
    expect((await ocl(['check', `${root}/tool`])).stdout).toContain('missing');

    const file = join(root, 'bad.tar');
    await writeFile(file, 'no tar file at all');
    const noTar = await ocl(['check', file]);
    expect([noTar.status, noTar.stderr]).toEqual([EXIT.content, expect.stringContaining('it is no tar file')]);
    expect((await ocl(['import', file, join(root, 'new')])).status).toBe(EXIT.content);
  });

  it('tells what is no bundle from one that is damaged', async () => {
    const root = await library();
    const none = await ocl(['verify', join(root, 'none.tar')]);
    expect([none.status, none.stdout]).toEqual([EXIT.notFound, '']);
    const directory = await ocl(['verify', root]);
    expect([directory.status, directory.stderr]).toEqual([EXIT.usage, expect.stringContaining(`ocl check ${root}`)]);
    expect((await ocl(['verify', join(root, 'tool')])).status).toBe(EXIT.done);
    // One that is none does not keep the others from being verified.
    const several = await ocl(['verify', join(root, 'none.tar'), root, join(root, 'tool')]);
    expect(several.status).toBe(EXIT.notFound);
    expect(several.stdout).toMatch(/tool: sound, .*\n.*none\.tar: not verified: .*\(OCL_NOT_FOUND\)\n.*OCL_USAGE/);
  });

  it('tells what is not done from what is not allowed', async () => {
    const root = await library();
    const file = join(root, 'x.tar');
    expect((await ocl(['export', root, '-o', file])).status).toBe(EXIT.done);
    const again = await ocl(['export', root, '-o', file]);
    expect([again.status, again.stderr]).toEqual([EXIT.unsupported, expect.stringContaining('--overwrite')]);
    expect((await ocl(['export', root, '-o', file, '--overwrite'])).status).toBe(EXIT.done);
    expect((await ocl(['tag', 'add', `docker-archive:${file}`, 'x'])).status).toBe(EXIT.unsupported);
    expect((await ocl(['tag', 'add', `oci-archive:${file}`, 'x'])).status).toBe(EXIT.unsupported);
    expect((await ocl(['check', 'docker://alpine'])).status).toBe(EXIT.usage);
  });

  it('of the network has a status of its own, and says whose', async () => {
    const root = await library();
    const server = await startScriptedServer({
      'HEAD /v2/secret/manifests/1': reply(401, { 'www-authenticate': 'Basic realm="x"' }),
      'GET /v2/secret/manifests/1': reply(401, { 'www-authenticate': 'Basic realm="x"' }),
      'HEAD /v2/private/manifests/1': reply(403),
      'GET /v2/private/manifests/1': reply(403),
    });
    try {
      const copyOf = (name: string): readonly string[] => ['copy', `${server.host}/${name}:1`, `ocidir://${root}/n:1`];
      const refused = await ocl(copyOf('secret'));
      expect([refused.status, refused.stderr]).toEqual([EXIT.refused, expect.stringMatching(/OCL_UNAUTHORIZED/)]);
      expect((await ocl(copyOf('private'))).status).toBe(EXIT.refused);
      expect((await ocl(copyOf('none'))).status).toBe(EXIT.notFound);
    } finally {
      await server.close();
    }
    const gone = await ocl(['ls', `${server.host}/app`]);
    expect([gone.status, gone.stderr]).toEqual([EXIT.network, expect.stringContaining('OCL_UNREACHABLE')]);
  });

  it('is the same as an object with --json, and still a message for people', async () => {
    const root = await temporary();
    const { status, stdout, stderr } = await ocl(['inspect', join(root, 'none'), '--json']);
    expect(status).toBe(EXIT.notFound);
    expect(jsonLines(stdout)).toEqual([
      { type: 'error', error: expect.objectContaining({ code: 'OCL_NOT_FOUND', message: expect.any(String) }) },
    ]);
    expect(stderr).toMatch(MESSAGE);
  });

  it('does not let a name of the other side draw on the terminal', async () => {
    const { stderr } = await ocl(['inspect', './\u001B[31mred\u0007']);
    // eslint-disable-next-line no-control-regex -- it is what must not be there
    expect(stderr).not.toMatch(/[\u001B\u0007]/);
  });
});

describe('sync check', () => {
  it('ends with 2 when it is asked for and there is something to do', async () => {
    const root = await library();
    const config = (target: string): string =>
      `version: 1\nsync:\n  - {source: "ocidir://${root}/tool:latest", target: "ocidir://${root}/${target}:latest", type: image}\n`;
    const check = ['sync', 'check', '--config', '-'];
    expect((await ocl(check, { stdin: config('new') })).status).toBe(EXIT.done);
    expect((await ocl([...check, '--exit-code'], { stdin: config('new') })).status).toBe(EXIT.drift);
    expect((await ocl(['sync', '--config', '-'], { stdin: config('new') })).status).toBe(EXIT.done);
    expect((await ocl([...check, '--exit-code'], { stdin: config('new') })).status).toBe(EXIT.done);
  });

  it('names the line of a file that is wrong', async () => {
    const { status, stderr } = await ocl(['sync', '--config', '-'], {
      stdin: 'version: 1\nsync:\n  - source: [a]\n    target: b\n    type: image\n',
    });
    expect([status, stderr]).toEqual([EXIT.usage, expect.stringMatching(/<stdin>:3:.*OCL_CONFIG_INVALID/s)]);
  });
});
