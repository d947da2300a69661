import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest } from '../../../src/core/digest.ts';
import { digestOf } from '../../../src/io/verify.ts';
import { takeDocument } from '../../../src/scan/inputs/documents.ts';
import { DATABASE_VARIABLES, imageCommands, SCANNERS, sbomCommands } from '../../../src/scan/inputs/scanners.ts';
import { composeScript } from '../../../src/scan/inputs/script.ts';
import { Stems } from '../../../src/scan/inputs/stem.ts';
import { createMemory } from '../../../src/stores/memory/store.ts';
import { temporaryDirectories } from '../../support/layouts.ts';

const temporary = temporaryDirectories();
const DIGEST: Digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('Stems', () => {
  it.each([
    ['docker.io/library/alpine:3.20', 'linux/arm64/v8', 'docker.io_library_alpine_3.20__linux-arm64-v8'],
    ['app:1', undefined, 'app_1'],
    [`app@${DIGEST}`, 'linux/amd64', 'app-0123456789ab__linux-amd64'],
    ['-rf ../../etc/passwd', undefined, 'rf_._._etc_passwd'],
    ['..', undefined, 'image'],
    ['\u001b[31mred\n', undefined, '31mred'],
  ])('makes %j for %j the name %j', (reference, platform, stem) => {
    expect(new Stems().of(reference, platform, DIGEST)).toBe(stem);
  });

  it('gives names that are short, plain, and never the same, whatever things are called', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ maxLength: 400 }), fc.constantFrom(undefined, 'linux/amd64', 'Linux/AMD64'))),
        (things) => {
          const stems = new Stems();
          const made = things.map(([reference, platform]) =>
            stems.of(reference, platform, digestOf(Buffer.from(reference))),
          );
          expect(new Set(made.map((stem) => stem.toLowerCase())).size).toBe(things.length);
          for (const stem of made) expect(stem).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/);
        },
      ),
    );
  });
});

describe('takeDocument', () => {
  const spdx = { spdxVersion: 'SPDX-2.3', name: 'app' };
  const cyclonedx = { bomFormat: 'CycloneDX', specVersion: '1.6' };
  const vex = { '@context': 'https://openvex.dev/ns/v0.2.0', statements: [] };
  const statement = (predicate: unknown): unknown => ({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'x',
    predicate,
  });
  const envelope = (inner: unknown): unknown => ({
    payloadType: 'application/vnd.in-toto+json',
    payload: Buffer.from(JSON.stringify(inner)).toString('base64'),
    signatures: [{ sig: 'AA==' }],
  });
  const taken = async (content: unknown, mediaType = 'application/octet-stream') => {
    const store = createMemory({ name: 'documents' });
    const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
    return await takeDocument(store, store.putBytes(bytes, mediaType));
  };

  it.each([
    ['an SPDX document', spdx, 'spdx-json'],
    ['a CycloneDX document', cyclonedx, 'cyclonedx-json'],
    ['CycloneDX that was attached as SPDX', cyclonedx, 'cyclonedx-json', 'text/spdx+json'],
    [
      'XML of CycloneDX',
      '<?xml version="1.0"?>\n<bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1"/>',
      'cyclonedx-xml',
    ],
    ['SPDX as text', '# made by a tool\nSPDXVersion: SPDX-2.3\n', 'spdx'],
    [
      'a document of Syft',
      {
        artifacts: [],
        schema: { version: '16.0.0', url: 'https://raw.githubusercontent.com/anchore/syft/main/schema.json' },
      },
      'syft-json',
    ],
    ['OpenVEX', vex, 'openvex'],
    ['a statement', statement(spdx), 'spdx-json'],
    ['an envelope', envelope(statement(cyclonedx)), 'cyclonedx-json'],
    [
      'a Sigstore bundle',
      { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', dsseEnvelope: envelope(statement(vex)) },
      'openvex',
    ],
    [
      'text that an old cosign wrapped',
      envelope(statement({ Data: JSON.stringify(spdx), Timestamp: 'now' })),
      'spdx-json',
    ],
    ['a document that an old cosign wrapped', statement({ Data: cyclonedx }), 'cyclonedx-json'],
  ])('takes %s out', async (_name, content, format, mediaType?: string) => {
    expect(await taken(content, mediaType)).toMatchObject({ format });
  });

  it.each([
    ['provenance', statement({ buildType: 'x' })],
    ['a signature', envelope({ critical: {} })],
    ['an envelope with nonsense in it', { payloadType: 'application/vnd.in-toto+json', payload: '!!!!' }],
    ['broken JSON', '{"spdxVersion": '],
    ['nothing', ''],
    ['a name twice', '{"spdxVersion": "SPDX-2.3", "spdxVersion": "SPDX-2.2"}'],
  ])('finds none in %s, and makes none up', async (_name, content) => {
    expect(await taken(content)).toBeUndefined();
  });

  it('gives a document as it is, byte for byte', async () => {
    const text = '{ "spdxVersion" : "SPDX-2.3",\n "unknown": 1.0 }\n';
    expect(Buffer.from((await taken(text))?.bytes ?? []).toString()).toBe(text);
  });
});

it.each([
  ['spdx-json', ['grype-sbom', 'trivy-sbom']],
  ['cyclonedx-json', ['grype-sbom', 'trivy-sbom']],
  ['cyclonedx-xml', ['grype-sbom']],
  ['syft-json', ['grype-sbom']],
])('an SBOM in the format %s goes to those who read it', (format, scanners) => {
  const commands = sbomCommands({ path: 'sbom/a', stem: 'a', format });
  expect(commands.map(({ scanner }) => scanner)).toEqual(scanners);
});

describe('run.sh', () => {
  const scanners = SCANNERS.filter((scanner) => scanner !== 'sbom');

  /** Programs of the scanners' names that write down how they were called. */
  async function scannersIn(
    directory: string,
    script = 'for word; do printf "<%s>" "$word"; done >>"$CALLS"; echo >>"$CALLS"',
  ): Promise<string> {
    const bin = join(directory, 'bin');
    await mkdir(bin);
    for (const name of ['trivy', 'grype', 'syft', 'docker', 'osv-scanner', 'dockle', 'snyk', 'jf', 'curl'])
      await writeFile(join(bin, name), `#!/bin/sh\nprintf %s "${name} " >>"$CALLS"\n${script}\n`, { mode: 0o755 });
    return bin;
  }

  async function run(directory: string, stems: readonly string[], args: readonly string[] = [], script?: string) {
    const bin = await scannersIn(directory, script);
    const commands = stems.flatMap((stem) =>
      scanners.flatMap((scanner) => imageCommands(scanner, { path: `in/${stem}`, stem })),
    );
    await writeFile(join(directory, 'run.sh'), composeScript(commands));
    const result = spawnSync('sh', [join(directory, 'run.sh'), ...args], {
      encoding: 'utf8',
      env: { PATH: `${bin}:/usr/bin:/bin`, CALLS: join(directory, 'calls'), CLAIR_URL: 'http://clair.test' },
    });
    const calls = await readFile(join(directory, 'calls'), 'utf8').catch(() => '');
    return { ...result, calls: calls.split('\n').filter((line) => line !== '') };
  }

  it('calls each scanner with the words of its command', async () => {
    const { status, calls, stderr } = await run(await temporary(), ['app']);
    expect(stderr).toBe('12 scanned, 0 failed\n');
    expect(status).toBe(0);
    expect(calls).toHaveLength(12);
    expect(calls).toContain(
      'grype <oci-dir:in/app><--output><json><--file>results/app.grype.json>'.replace('>results', '><results'),
    );
    expect(calls.find((call) => call.startsWith('curl'))).toContain('<http://clair.test>');
  });

  it('runs one scanner alone when it is named', async () => {
    const { calls } = await run(await temporary(), ['a', 'b'], ['trivy']);
    expect(calls.map((call) => call.split(' ')[0])).toEqual(['trivy', 'trivy']);
  });

  it('goes on when scans fail, tells which, and ends with 1', async () => {
    const { status, calls, stderr } = await run(await temporary(), ['a', 'b'], [], 'exit 3');
    expect(status).toBe(1);
    expect(calls.length + stderr.split('\n').length).toBeGreaterThan(22);
    expect(stderr).toContain('failed: trivy with status 3, see results/logs/a.trivy.json.log');
    expect(stderr).toContain('0 scanned, 24 failed');
  });

  it('takes a scan that ended badly and left a result for one that found something', async () => {
    const directory = await temporary();
    const bin = await scannersIn(directory, 'echo "{}" > results/a.trivy.json; exit 5');
    await writeFile(join(directory, 'run.sh'), composeScript(imageCommands('trivy', { path: 'in/a', stem: 'a' })));
    const { status, stderr } = spawnSync('sh', [join(directory, 'run.sh')], {
      encoding: 'utf8',
      env: { PATH: `${bin}:/usr/bin:/bin`, CALLS: '/dev/null' },
    });
    expect([status, stderr]).toEqual([0, '1 scanned, 0 failed\n']);
  });

  it('takes no result for the whole that a scanner got without its databases', async () => {
    const directory = await temporary();
    const says = 'echo "could not load db for Debian ecosystem: there is none"';
    const bin = await scannersIn(directory, `${says}; echo '{"results":[]}' > results/a.osv.json`);
    await writeFile(join(directory, 'run.sh'), composeScript(imageCommands('osv', { path: 'in/a', stem: 'a' })));
    const { status, stderr } = spawnSync('sh', [join(directory, 'run.sh')], {
      encoding: 'utf8',
      env: { PATH: `${bin}:/usr/bin:/bin`, CALLS: '/dev/null' },
    });
    expect(status).toBe(1);
    expect(stderr).toBe(
      'failed: osv lacks databases, results/a.osv.json.partial is not all, see results/logs/a.osv.json.log\n' +
        '  could not load db for Debian ecosystem: there is none\n0 scanned, 1 failed\n',
    );
    expect((await readdir(join(directory, 'results'))).toSorted()).toEqual(['a.osv.json.partial', 'logs']);
  });

  it.each(DATABASE_VARIABLES)('finds the databases of %s from where it was called', async (variable) => {
    const directory = await temporary();
    const bin = await scannersIn(directory, `printf '%s\\n' "$${variable}" >>"$CALLS"`);
    await writeFile(join(directory, 'run.sh'), composeScript(imageCommands('trivy', { path: 'in/a', stem: 'a' })));
    const calls = join(directory, 'calls');
    const env = { PATH: `${bin}:/usr/bin:/bin`, CALLS: calls };
    for (const value of ['data bases/x', '/data/x'])
      spawnSync('sh', [join(directory, 'run.sh')], { cwd: '/', env: { ...env, [variable]: value } });
    expect(await readFile(calls, 'utf8')).toBe('trivy //data bases/x\ntrivy /data/x\n');
  });

  it('does not take the result of an earlier run for that of a scan that fails now', async () => {
    const directory = await temporary();
    await mkdir(join(directory, 'results'));
    await writeFile(join(directory, 'results/a.trivy.json'), '{}');
    const bin = await scannersIn(directory, 'exit 5');
    await writeFile(join(directory, 'run.sh'), composeScript(imageCommands('trivy', { path: 'in/a', stem: 'a' })));
    const { status, stderr } = spawnSync('sh', [join(directory, 'run.sh')], {
      encoding: 'utf8',
      env: { PATH: `${bin}:/usr/bin:/bin`, CALLS: '/dev/null' },
    });
    expect(status).toBe(1);
    expect(stderr).toContain('0 scanned, 1 failed');
    expect(await readdir(join(directory, 'results'))).toEqual(['logs']);
  });

  it('reads nothing of what images are called as a part of the script', async () => {
    const directory = await temporary();
    const stem = 'a\'; touch "owned" #`touch owned`$(touch owned)\\';
    const { calls, status } = await run(directory, [stem]);
    expect(status).toBe(0);
    expect(calls.some((call) => call.includes(`<oci-dir:in/${stem}>`))).toBe(true);
    expect(await readdir(directory)).not.toContain('owned');
  });

  it('names scanners that are not installed, and fails where none is', async () => {
    const directory = await temporary();
    await writeFile(join(directory, 'run.sh'), composeScript(imageCommands('dockle', { path: 'in/a', stem: 'a' })));
    const { status, stderr } = spawnSync('sh', [join(directory, 'run.sh')], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    });
    expect([status, stderr]).toEqual([1, 'not installed: dockle\n0 scanned, 0 failed\n']);
  });

  it.each([
    { what: 'is not installed', wanted: 'dockle', status: 1, says: 'not installed: dockle\n' },
    { what: 'has no input', wanted: 'trivvy', status: 64, says: 'nothing here is for trivvy, only for: dockle\n' },
  ])('fails when the scanner that is named $what', async ({ wanted, status, says }) => {
    const directory = await temporary();
    await writeFile(join(directory, 'run.sh'), composeScript(imageCommands('dockle', { path: 'in/a', stem: 'a' })));
    const run = spawnSync('sh', [join(directory, 'run.sh'), wanted], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    });
    expect([run.status, run.stderr]).toEqual([status, says]);
  });
});
