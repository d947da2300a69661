// Who competes at what. A competitor is a command and, where it differs from ocl's, a look at what it left behind.
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blobFile } from './corpus.mjs';
import { gapCases } from './gap.mjs';

/** What ocl promises, as its seconds over those of the peer. */
const NETWORK = { skopeo: 0.6, 'skopeo, a loop': 0.6, crane: 1, 'crane + fsync': 1 };

/**
 * @param world.corpus the layouts, by name
 * @param world.source a registry that holds them as bench/NAME
 * @param world.sink a registry to write to
 * @param world.scratch a directory on the file system that is measured
 * @param world.counted proxies before both that count requests, as `source` and `sink`
 * @param world.distant by milliseconds of a round trip: long ways to both, as `source` and `sink`
 * @param world.ocl the command under test, as the beginning of an argument list
 */
export function allCases(world) {
  const { corpus, source, sink, counted, distant, scratch, ocl } = world;
  const { big, shared, hundred, small, changed, plain } = corpus;
  const target = join(scratch, 'target');
  const archive = join(scratch, 'target.tar');
  const made = join(scratch, 'made.tar');
  const mirror = join(scratch, 'mirror');

  const skopeo = ['skopeo', '--insecure-policy'];
  const ours = (...args) => ({ name: 'ocl', argv: [...ocl, ...args, '--quiet'] });
  const copied = (from, to, ...options) => ours('copy', ...options, from, to);
  const at = (registry, { name }, tag) => `${registry.host}/bench/${name}${tag === undefined ? '' : `:${tag}`}`;
  const plainHttp = (registry) => ['--plain-http', registry.host];
  const regctl = (registry) => ['regctl', '--host', `reg=${registry.host},tls=disabled`];
  const emptyTarget = () => {
    rmSync(target, { recursive: true, force: true });
    rmSync(archive, { force: true });
  };
  const emptySink = () => sink.empty();
  const targetHolds = (layout) => () => layoutHolds(target, layout);
  const sinkHolds = (layout) => () => registryHolds(sink, `bench/${layout.name}`, layout);
  const directories = (...layouts) => ({
    verify: () => {
      const count = layouts.reduce((sum, { tags }) => sum + Object.keys(tags).length, 0);
      if (readdirSync(target).length !== count) throw new Error(`not ${count} images in the target`);
    },
  });

  /** The file that ocl and regsync share. */
  const synced = (name, steps, ends = [source, sink]) => {
    const file = join(scratch, `${name}.yaml`);
    const hosts = ends.map(({ host }) => `  - registry: ${host}\n    tls: disabled\n`).join('');
    const list = steps.map(([from, to]) => `  - type: repository\n    source: ${from}\n    target: ${to}\n`).join('');
    writeFileSync(file, `version: 1\ncreds:\n${hosts}defaults:\n  parallel: 4\nsync:\n${list}`);
    return [ours('sync', '--config', file), { name: 'regsync', argv: ['regsync', 'once', '-v', 'warn', '-c', file] }];
  };
  /** The same in skopeo's words. */
  const skopeoSync = (name, layouts, from, ...to) => {
    const file = join(scratch, `${name}.skopeo.yaml`);
    const list = layouts.map((layout) => `    bench/${layout.name}: []\n`).join('');
    writeFileSync(file, `"${from.host}":\n  tls-verify: false\n  images:\n${list}`);
    return [...skopeo, 'sync', '--src', 'yaml', ...to.slice(0, -1), file, to.at(-1)];
  };
  const skopeoPush = (from, to) => [
    ...skopeo,
    'copy',
    '--dest-tls-verify=false',
    from,
    `docker://${at(to, big, 'v1')}`,
  ];
  /** One command for each tag, `$1` in it. */
  const forEachTag = (command, layout) => [
    'sh',
    '-c',
    `set -e; for tag; do set -- "$tag"; ${command}; done`,
    'sh',
    ...Object.keys(layout.tags),
  ];
  const all = (layout, registry, directory) => [`${registry.host}/bench/${layout.name}`, `ocidir://${directory}`];

  /** Who pulls, and who pushes, the image of large layers. */
  const pullsOfBig = (from) => [
    copied(at(from, big, 'v1'), `ocidir://${target}:v1`, ...plainHttp(from)),
    {
      name: 'skopeo',
      argv: [...skopeo, 'copy', '--src-tls-verify=false', `docker://${at(from, big, 'v1')}`, `oci:${target}:v1`],
    },
    {
      name: 'crane',
      argv: ['crane', 'pull', '--insecure', '--format=oci', at(from, big, 'v1'), target],
      unsynced: target,
    },
    {
      name: 'oras',
      argv: ['oras', 'cp', '--from-plain-http', at(from, big, 'v1'), '--to-oci-layout', `${target}:v1`],
      unsynced: target,
    },
    {
      name: 'regctl',
      argv: [...regctl(from), 'image', 'copy', at(from, big, 'v1'), `ocidir://${target}:v1`],
      unsynced: target,
    },
  ];
  const pushesOfBig = (to) => [
    copied(`ocidir://${big.path}:v1`, at(to, big, 'v1'), ...plainHttp(to)),
    {
      name: 'skopeo',
      argv: skopeoPush(`oci:${big.path}:v1`, to),
    },
    { name: 'crane', argv: ['crane', 'push', '--insecure', big.path, at(to, big, 'v1')] },
    {
      name: 'oras',
      argv: ['oras', 'cp', '--from-oci-layout', `${big.path}:v1`, '--to-plain-http', at(to, big, 'v1')],
    },
    {
      name: 'regctl',
      argv: [...regctl(to), 'image', 'copy', `ocidir://${big.path}:v1`, at(to, big, 'v1')],
    },
  ];

  const pulls = {
    repeat: 1,
    prepare: emptyTarget,
    limits: NETWORK,
  };
  const pushes = { repeat: 1, prepare: emptySink, limits: NETWORK };

  return [
    {
      ...pulls,
      name: 'registry-layout-big',
      title: 'registry → layout: one image of 4 large layers',
      verify: targetHolds(big),
      competitors: () => pullsOfBig(source),
    },
    {
      ...pulls,
      name: 'registry-layout-shared',
      title: 'registry → layout: 20 images with a common base',
      verify: targetHolds(shared),
      competitors: () => [
        ...withUnsynced(synced('pull-shared', [all(shared, source, target)]), target),
        {
          name: 'skopeo',
          note: '`skopeo sync` to directories, for it writes no layouts; each holds all layers of its image',
          argv: skopeoSync('pull-shared', [shared], source, '--dest', 'dir', target),
          ...directories(shared),
        },
        {
          name: 'skopeo, a loop',
          tool: 'skopeo',
          argv: forEachTag(
            `${skopeo.join(' ')} copy --src-tls-verify=false "docker://${at(source, shared)}:$1" "oci:${target}:$1"`,
            shared,
          ),
        },
        {
          name: 'crane',
          argv: [
            'crane',
            'pull',
            '--insecure',
            '--format=oci',
            '--annotate-ref',
            ...Object.keys(shared.tags).map((tag) => at(source, shared, tag)),
            target,
          ],
          unsynced: target,
        },
        {
          name: 'oras, a loop',
          tool: 'oras',
          argv: forEachTag(
            `oras cp --from-plain-http "${at(source, shared)}:$1" --to-oci-layout "${target}:$1"`,
            shared,
          ),
          unsynced: target,
        },
      ],
    },
    {
      ...pulls,
      name: 'registry-layout-small',
      title: 'registry → layout: 1000 artifacts of 1 KiB',
      limits: {},
      verify: targetHolds(small),
      competitors: () => [
        ...withUnsynced(synced('pull-small', [all(small, source, target)]), target),
        {
          name: 'skopeo',
          note: '`skopeo sync` to directories',
          argv: skopeoSync('pull-small', [small], source, '--dest', 'dir', target),
          ...directories(small),
        },
      ],
    },
    {
      ...pushes,
      name: 'layout-registry-big',
      title: 'layout → registry: one image of 4 large layers',
      verify: sinkHolds(big),
      competitors: () => pushesOfBig(sink),
    },
    {
      ...pushes,
      name: 'layout-registry-shared',
      title: 'layout → registry: 20 images with a common base',
      verify: sinkHolds(shared),
      competitors: () => [
        ...synced('push-shared', [all(shared, sink, shared.path).toReversed()]),
        {
          name: 'skopeo',
          tool: 'skopeo',
          note: 'a loop of `skopeo copy`, for `skopeo sync` reads no layouts',
          argv: forEachTag(
            `${skopeo.join(' ')} copy --dest-tls-verify=false "oci:${shared.path}:$1" "docker://${at(sink, shared)}:$1"`,
            shared,
          ),
        },
      ],
    },
    {
      ...pulls,
      name: 'layout-layout-big',
      title: 'layout → layout on one file system: one image of 4 large layers',
      limits: { skopeo: 0.05 },
      verify: targetHolds(big),
      competitors: () => [
        copied(`ocidir://${big.path}:v1`, `ocidir://${target}:v1`),
        { name: 'skopeo', argv: [...skopeo, 'copy', `oci:${big.path}:v1`, `oci:${target}:v1`] },
        {
          name: 'regctl',
          argv: ['regctl', 'image', 'copy', `ocidir://${big.path}:v1`, `ocidir://${target}:v1`],
          unsynced: target,
        },
      ],
    },
    {
      ...pulls,
      name: 'layout-layout-plain',
      title: 'layout → layout: the same with files that are not read-only, as other tools leave them',
      limits: {},
      verify: targetHolds(big),
      competitors: () => [
        copied(`ocidir://${plain.path}:v1`, `ocidir://${target}:v1`),
        { name: 'skopeo', argv: [...skopeo, 'copy', `oci:${plain.path}:v1`, `oci:${target}:v1`] },
      ],
    },
    {
      ...pulls,
      name: 'layout-archive-big',
      title: 'layout → archive: one image of 4 large layers',
      limits: { 'cp -r': 1.5, 'cp -r + fsync': 1.5 },
      verify: () => {
        const bytes = Object.values(big.blobs).reduce((sum, size) => sum + size, 0);
        if (statSync(archive).size < bytes) throw new Error('the archive is too small');
      },
      competitors: () => [
        copied(`ocidir://${big.path}:v1`, `oci-archive:${archive}:v1`),
        {
          name: 'skopeo',
          argv: [...skopeo, 'copy', `oci:${big.path}:v1`, `oci-archive:${archive}:v1`],
          unsynced: archive,
        },
        {
          name: 'regctl',
          argv: ['regctl', 'image', 'export', `ocidir://${big.path}:v1`, archive],
          unsynced: archive,
        },
        {
          name: 'cp -r',
          argv: ['cp', '-r', '--reflink=never', big.path, target],
          verify: targetHolds(big),
          unsynced: target,
        },
      ],
    },
    {
      ...pushes,
      name: 'archive-registry-big',
      title: 'archive → registry: one image of 4 large layers',
      limits: { skopeo: 0.6 },
      before: (run) => {
        if (!existsSync(made)) return run(copied(`ocidir://${big.path}:v1`, `oci-archive:${made}:v1`).argv);
      },
      verify: sinkHolds(big),
      competitors: () => [
        copied(`oci-archive:${made}:v1`, at(sink, big, 'v1'), ...plainHttp(sink)),
        {
          name: 'skopeo',
          argv: skopeoPush(`oci-archive:${made}:v1`, sink),
        },
        { name: 'regctl', argv: [...regctl(sink), 'image', 'import', at(sink, big, 'v1'), made] },
      ],
    },
    {
      ...pushes,
      name: 'sync-first',
      title: 'first mirror: registry → registry, 100 images on 10 bases',
      limits: { regsync: 0.5 },
      verify: sinkHolds(hundred),
      requests,
      competitors: () => mirrors(hundred, world),
    },
    {
      name: 'sync-idle',
      title: 'nothing to do: registry → registry, 1000 tags that are there already',
      repeat: 1,
      limits: { regsync: 0.33 },
      before: async (run) => {
        await sink.empty();
        await run(mirrors(small, world)[0].argv);
      },
      prepare: () => {},
      verify: sinkHolds(small),
      requests,
      competitors: () => mirrors(small, world),
    },
    {
      name: 'sync-changed',
      title: 'a little to do: registry → registry, 1000 tags of which 20 have changed',
      repeat: 1,
      limits: { regsync: 0.33 },
      before: async (run) => {
        await sink.empty();
        await run(synced('before', [[at(source, small), at(sink, changed)]])[0].argv);
        await sink.keep(join(scratch, 'kept'));
      },
      prepare: () => sink.restore(join(scratch, 'kept')),
      verify: sinkHolds(changed),
      requests,
      competitors: () => mirrors(changed, world),
    },
    {
      name: 'latency-sync-10',
      title: 'nothing to do over round trips of 10 ms: registry → registry, 1000 tags that are there already',
      repeat: 1,
      limits: { regsync: 0.33 },
      before: async (run) => {
        await sink.empty();
        await run(mirrors(small, world)[0].argv);
      },
      prepare: () => {},
      verify: sinkHolds(small),
      competitors: () => mirrors(small, distant[10]),
    },
    {
      name: 'idle-layout',
      title: 'nothing to do: registry → layouts, 1020 images that are there already',
      repeat: 1,
      limits: {},
      before: async (run) => {
        rmSync(mirror, { recursive: true, force: true });
        await run(idle(`ocidir://${mirror}`)[0].argv);
      },
      prepare: () => {},
      verify: () => {
        layoutHolds(join(mirror, 'bench/shared'), shared);
        layoutHolds(join(mirror, 'bench/small'), small);
      },
      competitors: () => idle(`ocidir://${mirror}`),
    },
    {
      ...pulls,
      name: 'requests-pull',
      title: 'requests: registry → layout, 1000 artifacts of 1 KiB',
      limits: {},
      verify: targetHolds(small),
      requests: () => ({ source: counted.source.take() }),
      competitors: () => [
        ...synced('pull-counted', [all(small, counted.source, target)], [counted.source]),
        {
          name: 'skopeo',
          note: '`skopeo sync` to directories',
          argv: skopeoSync('pull-counted', [small], counted.source, '--dest', 'dir', target),
          ...directories(small),
        },
      ],
    },
    ...Object.entries(distant).map(([milliseconds, ends]) => ({
      ...pulls,
      name: `latency-pull-${milliseconds}`,
      title: `registry → layout over a round trip of ${milliseconds} ms: one image of 4 large layers`,
      limits: {},
      verify: targetHolds(big),
      competitors: () => pullsOfBig(ends.source),
    })),
    ...Object.entries(distant).map(([milliseconds, ends]) => ({
      ...pushes,
      name: `latency-push-${milliseconds}`,
      title: `layout → registry over a round trip of ${milliseconds} ms: one image of 4 large layers`,
      limits: {},
      verify: sinkHolds(big),
      competitors: () => pushesOfBig(ends.sink),
    })),
    ...gapCases({ ...world, layoutHolds, registryHolds }),
    {
      name: 'start',
      title: 'start-up',
      repeat: 4,
      limits: { 'node -e 0': 1.5 },
      prepare: () => {},
      verify: () => {},
      competitors: () => [
        { name: 'ocl', argv: [...ocl, '--version'] },
        { name: 'node -e 0', argv: [process.execPath, '-e', '0'] },
      ],
    },
  ];

  function requests() {
    return { source: counted.source.take(), target: counted.sink.take() };
  }

  /** One repository from registry to registry, by each that can: directly, and by the proxies that count. */
  function mirrors(layout, ends) {
    const argvs = [ends, counted].map(({ source: from, sink: to }, way) => [
      ...synced(`${layout.name}-${way}`, [[at(from, layout), at(to, layout)]], [from, to]),
      {
        name: 'skopeo',
        argv: skopeoSync(
          `${layout.name}-${way}`,
          [layout],
          from,
          '--dest-tls-verify=false',
          '--dest',
          'docker',
          `${to.host}/bench`,
        ),
      },
    ]);
    return argvs[0].map((competitor, i) => ({ ...competitor, counted: argvs[1][i].argv }));
  }

  function idle(to) {
    return synced(
      'idle',
      [shared, small].map(({ name }) => [`${source.host}/bench/${name}`, `${to}/bench/${name}`]),
    );
  }
}

/** What of the corpus is in the registry that the cases read from. */
export const FILLED = ['big', 'shared', 'hundred', 'small', 'changed'];

/** Fills that registry. */
export function fillCommand({ corpus, source, scratch, ocl }) {
  const file = join(scratch, 'fill.yaml');
  const steps = FILLED.map(
    (name) =>
      `  - type: repository\n    source: ocidir://${corpus[name].path}\n    target: ${source.host}/bench/${name}\n`,
  );
  writeFileSync(
    file,
    `version: 1\ncreds:\n  - registry: ${source.host}\n    tls: disabled\ndefaults:\n  parallel: 4\nsync:\n${steps.join('')}`,
  );
  return [...ocl, 'sync', '--config', file, '--quiet'];
}

/** @throws when a registry lacks the first or the last tag of a layout, or has others by that name */
export async function registryHolds(registry, repository, { tags }) {
  for (const [tag, digest] of [Object.entries(tags).at(0), Object.entries(tags).at(-1)]) {
    const found = await registry.digest(repository, tag);
    if (found !== digest) throw new Error(`${repository}:${tag} is ${found ?? 'missing'}, not ${digest}`);
  }
}

function layoutHolds(path, { blobs }) {
  for (const [digest, size] of Object.entries(blobs)) {
    const found = statSync(blobFile(path, digest), { throwIfNoEntry: false })?.size;
    if (found !== size) throw new Error(`${digest} has ${found ?? 'no'} bytes, not ${size}`);
  }
}

function withUnsynced([first, ...peers], unsynced) {
  return [first, ...peers.map((peer) => ({ ...peer, unsynced }))];
}
