import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { surroundings } from '../support/surroundings.ts';
import { formatYaml, parseYaml } from '../../src/io/yaml.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { formatConfig } from '../../src/sync/print.ts';
import { HostSchema, SyncSchema } from '../../src/sync/schema.ts';
import { type SyncConfig, type SyncStep } from '../../src/sync/settings.ts';

function load(text: string): SyncConfig {
  return loadConfig(text, 'f.yaml', surroundings({ TOKEN: 's3cret {{', HOST: 'mirror.test' })).config;
}

/** Without the places, which a printed file has elsewhere. */
function meaning({ steps, file: _file, ...config }: SyncConfig): unknown {
  return { ...config, steps: steps.map(({ place: _place, ...step }: SyncStep) => step) };
}

const FULL = `
creds:
  - {registry: 'a.test:5000', tls: disabled, hostname: 10.0.0.5, user: me, pass: '{{env "TOKEN"}}', regcert: "PEM", repoAuth: true,
     pathPrefix: /proxy/, mirrors: [m.test], uploadHosts: [u.test], priority: 2, reqConcurrent: 4, reqPerSec: 0.5, blobChunk: 1048576, blobMax: 2000, apiOpts: {disableHead: true}}
  - {registry: b.test, clientCert: cert, clientKey: 'the key', credHelper: docker-credential-x, credExpire: 90m, credHost: c.test}
  - {registry: c.test, token: 'the identity'}
defaults:
  parallel: 3
  skipDockerConfig: true
  userAgent: shop/1
  backup: 'old-{{.Ref.Tag}}'
  interval: 90m
  ratelimit: {min: 40, retry: 10m}
  hooks:
    pre: {type: exec, params: [/bin/notify, --token=x], env: {API_TOKEN: hush}, timeout: 10s}
    failed: {type: webhook, params: ['https://hooks.test/services/T0/B0/hush?x=1']}
sync:
  - {type: registry, source: '{{env "HOST"}}', target: 'ocidir://mirror/{{.Sync.Source}}', repos: {allow: ['team/.*'], deny: ['.*/cache']},
     tagSets: [{}, {semverRange: ['>=1.10 <2'], newest: 3}], tags: {allow: [3.10, ~], deny: ['.*-rc'], since: 90d, newestBy: date, newest: 2}}
  - {type: image, source: 'a.test:5000/x:1', target: 'b.test/x:1', targets: ['c.test/x:1', 'ocidir://d:1'], platform: linux/arm64, referrers: true,
     referrerFilters: [{artifactType: application/spdx+json, annotations: {kind: '', two: 2}}, {}], referrerSource: s.test/a, referrerTarget: 't.test/{{.Sync.Source}}',
     digestTags: true, fastCheck: true, forceRecursive: true, includeExternal: true, mediaTypes: [application/vnd.oci.image.manifest.v1+json], schedule: '15 3 * * *'}
  - {type: repository, source: e.test/y, target: f.test/y, platforms: [linux/amd64, linux/arm/v7], sparse: rewrite, prune: {keep: 2, grace: 7d}, backupRequired: true, tags: {since: 2026-01-31}}
  - {type: feed, feed: trivy-db, target: g.test/trivy-db:2, maxAge: 36h, onStale: fail, prune: true, referrerFilters: []}
  - {}
`;

describe('a printed file', () => {
  // What changes nothing, and what is read as something else.
  const GONE = new Set(['api', 'scheme', 'referrerSlow', 'fastCopy']);

  it.each([
    ['creds', HostSchema],
    ['steps', SyncSchema],
  ] as const)('is held to every key of %s by what follows', (_, { shape }) => {
    const keys = Object.keys(shape).filter((key) => !GONE.has(key));
    expect(keys.filter((key) => !new RegExp(`\\b${key}:\\s`).test(FULL))).toEqual([]);
  });

  it('gives the same when it is read again, and is printed the same once more', () => {
    const config = load(FULL);
    const text = formatConfig(config, { showSecrets: true });
    expect(meaning(load(text))).toEqual(meaning(config));
    expect(formatConfig(load(text), { showSecrets: true })).toBe(text);
  });

  it.each(['shop.yaml', 'anchors.yaml', 'everything.yaml'])('of testdata/sync/%s gives the same', (name) => {
    const config = load(readFileSync(new URL(`../../testdata/sync/${name}`, import.meta.url), 'utf8'));
    expect(meaning(load(formatConfig(config, { showSecrets: true })))).toEqual(meaning(config));
  });

  it('is read without a warning, by regsync’s rules as well', () => {
    const text = formatConfig(load(FULL), { showSecrets: true });
    const { warnings } = loadConfig(text, 'f', surroundings());
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('the type must be image')]);
  });

  it('has durations as Go writes them, and defaults in the steps', () => {
    const text = formatConfig(load(FULL), { showSecrets: false });
    expect(text).toContain('interval: "1h30m0s"');
    expect(text).toContain('retry: "10m0s"');
    expect(text).toContain('grace: "168h0m0s"');
    expect(text.match(/backup: "old-\{\{\.Ref\.Tag\}\}"/g)).toHaveLength(5);
    expect(text).toContain('"3.10"');
    expect(text).toContain('source: "mirror.test"');
  });

  it('has no secrets unless they are asked for', () => {
    const hidden = formatConfig(load(FULL), { showSecrets: false });
    const shown = formatConfig(load(FULL), { showSecrets: true });
    for (const secret of ['s3cret', 'the key', 'the identity', 'hush']) {
      expect(hidden).not.toContain(secret);
      expect(shown).toContain(secret);
    }
    expect(hidden).toContain('"https://hooks.test/***"');
    for (const kept of ['user: "me"', 'clientCert: "cert"', 'regcert: "PEM"', 'API_TOKEN: "***"'])
      expect(hidden).toContain(kept);
  });

  it('gives the same for any texts and durations', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    const words = fc.array(text, { maxLength: 3 });
    const ms = fc.integer({ min: 1, max: 1e12 });
    fc.assert(
      fc.property(text, words, words, ms, fc.boolean(), (word, allow, deny, age, flag) => {
        const step = { type: 'repository', source: plain(word), target: plain(`t/${word}`), tags: { allow, deny } };
        const more = { backup: word, referrers: flag, schedule: word, platforms: allow, interval: `${age}ms` };
        const config = load(formatYaml({ sync: [{ ...step, ...more }], defaults: { userAgent: word } }));
        expect(meaning(load(formatConfig(config, { showSecrets: true })))).toEqual(meaning(config));
        expect(config.steps[0]).toMatchObject({ source: word, referrers: flag, platforms: allow });
      }),
    );
  });
});

describe('formatYaml', () => {
  it('gives back what parseYaml reads', () => {
    const value = {
      a: ['3.10', 'yes', '', '~', '{{x}}', ' # no', 'two\nlines', '\u0000'],
      b: { c: 1, d: true, e: null },
    };
    expect(parseYaml(formatYaml(value), 'f').value).toEqual(value);
  });
});

function plain(text: string): string {
  return text.replaceAll('{{', '{{"{{"}}');
}
