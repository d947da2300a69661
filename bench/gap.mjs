// Over the gap: bundles written, proved and taken in, beside what others have for it.
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** @param world as in cases.mjs; `world.gap` makes the content when it is first asked for */
export function gapCases({ gap, source, sink, scratch, ocl, layoutHolds, registryHolds }) {
  const target = join(scratch, 'gap-target');
  const bundle = join(scratch, 'gap.tar');
  const written = join(scratch, 'gap-written.tar');
  const store = join(scratch, 'gap-store');
  const skopeo = ['skopeo', '--insecure-policy'];
  const ours = (...args) => ({ name: 'ocl', argv: [...ocl, ...args, '--quiet'] });
  const repository = 'bench/gap';
  const [from, to] = [`${source.host}/${repository}:v1`, `${sink.host}/${repository}:v1`];
  const bytes = () => Object.values(gap().blobs).reduce((sum, size) => sum + size, 0);
  const isWhole = (file) => () => {
    if (statSync(file).size < bytes()) throw new Error(`${file} is too small`);
  };
  const removeAll = () => {
    for (const place of [target, written, store]) rmSync(place, { recursive: true, force: true });
  };
  /** The content is in the registry, and in a bundle, before anybody is measured. */
  const before = async (run) => {
    const { path } = gap();
    try {
      await registryHolds(source, repository, gap());
    } catch {
      await run([...ocl, 'copy', `ocidir://${path}:v1`, from, '--plain-http', source.host, '--quiet']);
    }
    if (!existsSync(bundle)) await run([...ocl, 'export', `ocidir://${path}:v1`, '-o', bundle, '--quiet']);
  };
  /** What is on the disk besides what a registry keeps. Skopeo unpacks into /var/tmp, whatever TMPDIR says. */
  const disk = { of: [scratch, '/var/tmp'], without: [sink.storage] };
  const writes = { repeat: 1, bytes, prepare: removeAll, before, disk, verify: isWhole(written) };
  const imports = {
    repeat: 1,
    disk,
    before,
    prepare: () => sink.empty(),
    verify: () => registryHolds(sink, repository, gap()),
  };
  const HASH = `
    import { createHash } from 'node:crypto';
    import { createReadStream } from 'node:fs';
    import { readdirSync } from 'node:fs';
    for (const name of readdirSync(process.argv[1])) {
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(process.argv[1] + '/' + name, { highWaterMark: 1 << 20 })) hash.update(chunk);
      if (hash.digest('hex') !== name) process.exit(1);
    }`;

  return [
    {
      ...writes,
      name: 'gap-export-layout',
      title: 'over the gap: layout → bundle, one image of 16 large layers',
      limits: { 'cp -r': 1.3, 'cp -r + fsync': 1.3 },
      competitors: () => [
        ours('export', `ocidir://${gap().path}:v1`, '-o', written),
        {
          name: 'skopeo',
          argv: [...skopeo, 'copy', `oci:${gap().path}:v1`, `oci-archive:${written}:v1`],
          unsynced: written,
        },
        {
          name: 'cp -r',
          argv: ['cp', '-r', '--reflink=never', gap().path, target],
          verify: () => layoutHolds(target, gap()),
          unsynced: target,
        },
      ],
    },
    {
      ...writes,
      name: 'gap-export-registry',
      title: 'over the gap: registry → bundle, one image of 16 large layers',
      limits: { 'ocl, into a layout': 1 },
      competitors: () => [
        ours('export', from, '-o', written, '--plain-http', source.host),
        {
          name: 'ocl, into a layout',
          argv: [...ocl, 'copy', from, `ocidir://${target}:v1`, '--plain-http', source.host, '--quiet'],
          verify: () => layoutHolds(target, gap()),
        },
        {
          name: 'skopeo',
          argv: [...skopeo, 'copy', '--src-tls-verify=false', `docker://${from}`, `oci-archive:${written}:v1`],
          unsynced: written,
        },
        {
          name: 'oras backup',
          tool: 'oras',
          argv: ['oras', 'backup', '--plain-http', '--output', written, from],
          unsynced: written,
        },
        {
          name: 'hauler',
          note: '`hauler store add image`, then `hauler store save`',
          argv: [
            'sh',
            '-c',
            'hauler store add image "$1" --store "$2" && hauler store save --store "$2" --filename "$3"',
            'sh',
            from,
            store,
            written,
          ],
          tool: 'hauler',
          unsynced: written,
        },
      ],
    },
    {
      name: 'gap-verify',
      title: 'over the gap: every byte of a bundle proved where it lies',
      repeat: 1,
      limits: { 'node:crypto': 1.2 },
      before,
      prepare: () => {},
      verify: () => {},
      competitors: () => [
        ours('verify', bundle),
        {
          name: 'node:crypto',
          note: 'sha256 of the same bytes, file by file',
          argv: [process.execPath, '--input-type=module', '-e', HASH, join(gap().path, 'blobs', 'sha256')],
        },
        {
          name: 'sha256sum',
          argv: ['sh', '-c', 'cd "$1" && sha256sum * >/dev/null', 'sh', join(gap().path, 'blobs', 'sha256')],
          tool: 'sha256sum',
        },
      ],
    },
    {
      ...imports,
      name: 'gap-import-registry',
      title: 'over the gap: bundle → registry, one image of 16 large layers',
      limits: {},
      diskLimit: 0.01,
      bytes,
      competitors: () => [
        ours('import', bundle, `${sink.host}/bench`, '--rewrite', 's#^.*:#gap:#', '--plain-http', sink.host),
        {
          name: 'skopeo',
          argv: [...skopeo, 'copy', '--dest-tls-verify=false', `oci-archive:${bundle}:v1`, `docker://${to}`],
        },
        {
          name: 'oras restore',
          tool: 'oras',
          argv: ['oras', 'restore', '--plain-http', '--input', bundle, to],
        },
        {
          name: 'hauler',
          note: '`hauler store load`, then `hauler store copy`; of what it saved itself',
          argv: [
            'sh',
            '-c',
            'hauler store load --store "$2" --filename "$1" && hauler store copy --store "$2" --plain-http "registry://$3"',
            'sh',
            join(scratch, 'hauler.tar.zst'),
            store,
            sink.host,
          ],
          tool: 'hauler',
        },
      ],
    },
    {
      ...imports,
      name: 'gap-import-pipe',
      title: 'over the gap: bundle → registry from a pipe, one image of 16 large layers',
      limits: {},
      diskLimit: 0.01,
      bytes,
      competitors: () => [
        {
          name: 'ocl',
          argv: [
            'sh',
            '-c',
            'file=$1; shift; cat "$file" | "$@"',
            'sh',
            bundle,
            ...ours('import', '-', `${sink.host}/bench`, '--rewrite', 's#^.*:#gap:#', '--plain-http', sink.host).argv,
          ],
        },
      ],
    },
  ];
}
