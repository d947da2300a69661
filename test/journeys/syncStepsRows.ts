import { MEDIA } from '../../src/core/mediaTypes.ts';
import { AMD64, ARM64, attestation, foreignImage, image, index, piece, sbom, signature } from '../support/graphs.ts';
import { type Graph } from '../support/graphs.ts';
import { type Named } from '../support/worlds.ts';
import { type ServerKind } from '../support/syncWorld.ts';

/** One step with a key that changes what is copied. */
export interface KeyRow {
  readonly title: string;
  /** Of the step, beside its ends; `place` is another repository at the target's kind, `beside` one at the source's. */
  readonly keys: string | ((place: (name: string) => string, beside: (name: string) => string) => string);
  readonly type?: 'image' | 'repository';
  /** At the source; without it `app` under the tag 1. */
  readonly source?: readonly Named[];
  /** In other repositories of the source, by name. */
  readonly beside?: Readonly<Record<string, readonly Named[]>>;
  /** At the target before. */
  readonly before?: readonly Named[];
  /** Images that the first run copies: 1, when it is not said. */
  readonly copied?: number;
  /** The error that ends it. */
  readonly fails?: string;
  /** In a notice. */
  readonly says?: string;
  /** At the target afterwards, with all tags that there are. Without it `app` under the tag 1. */
  readonly there?: readonly Named[];
  /** In other repositories of the target, by name. */
  readonly elsewhere?: Readonly<Record<string, readonly Named[]>>;
  /** None of the contents that are these graphs' own is at the target. */
  readonly absent?: readonly Graph[];
  /**
   * A second run reads more than a HEAD an image at each end: what there is beside an image that is there, or the date in its config.
   * Nothing is moved either way.
   */
  readonly looks?: 'beside' | 'inside';
  /** What certain registries answer instead, and why. */
  readonly refusedBy?: { readonly kind: ServerKind; readonly code: string };
}

export const named = (graph: Graph, tag: string): Named => ({ graph, name: { tag } });
const unnamed = (graph: Graph): Named => ({ graph, name: {} });
const dated = (tag: string, created: string): Named => named(image({ name: tag, created }), tag);
/** The tag that cosign gives the signature of a digest. */
const cosignTag = (digest: string): string => `${digest.replace(':', '-')}.sig`;

const [amd, arm] = [image({ name: 'app', platform: AMD64 }), image({ name: 'app', platform: ARM64 })];
const [amdProof, armProof] = [attestation(amd.root), attestation(arm.root)];
export const app = index([amd, arm, amdProof, armProof]);
const APP = named(app, '1');
const [signed, parts] = [signature(app.root), sbom(amd.root)];
const countersigned = signature(signed.root, 'signed again');
const cosigned = [app, amd].map(({ root }) => named(image({ name: `of ${root.digest}` }), cosignTag(root.digest)));
const old = named(image({ name: 'old' }), '1');
const docker = named(image({ name: 'docker', docker: true }), '1');
const windows = foreignImage();
const hidden = piece('what only its maker may give away', MEDIA.dockerForeignLayerGzip);
const wholeWindows: Graph = { ...windows, pieces: [hidden, ...windows.pieces] };
const months = ['1.9.0', '1.10.0', '1.2.0', 'nightly'].map((tag, month) =>
  dated(tag, `2026-0${month + 1}-15T12:00:00Z`),
);
const [v1_9, v1_10, v1_2, nightly] = months as [Named, Named, Named, Named];
const SIGNATURES = { app: [signed, parts, countersigned].map(unnamed) };

export const KEY_ROWS: readonly KeyRow[] = [
  {
    title: 'several targets',
    keys: (place) => `targets: ["${place('second')}:1", "${place('third')}:1"]`,
    copied: 3,
    elsewhere: { second: [APP], third: [APP] },
  },
  {
    title: 'a backup under a tag beside',
    keys: 'backup: "was-{{.Ref.Tag}}"',
    before: [old],
    there: [APP, { ...old, name: { tag: 'was-1' } }],
  },
  {
    title: 'a backup at another place',
    keys: (place) => `backup: "${place('kept')}:{{.Ref.Tag}}"`,
    before: [old],
    elsewhere: { kept: [old] },
  },
  {
    title: 'a backup that fails',
    keys: 'backup: "ocidir:///dev/null/kept:1"',
    before: [old],
    says: 'without a backup',
  },
  {
    title: 'a backup that fails and is required',
    keys: 'backup: "ocidir:///dev/null/kept:1", backupRequired: true',
    before: [old],
    copied: 0,
    fails: 'OCL_IO',
    there: [old],
    absent: [app],
  },
  {
    title: 'referrers, and what refers to those',
    keys: 'referrers: true',
    beside: SIGNATURES,
    there: [APP, ...SIGNATURES.app],
    looks: 'beside',
  },
  { title: 'no referrers', keys: 'referrers: false', beside: SIGNATURES, absent: [signed, parts] },
  {
    title: 'referrers of one type',
    keys: 'referrers: true, referrerFilters: [{artifactType: application/spdx+json}]',
    beside: SIGNATURES,
    there: [APP, unnamed(parts)],
    absent: [signed],
    looks: 'beside',
  },
  {
    title: 'referrers with an annotation, or of a type',
    keys: 'referrers: true, referrerFilters: [{annotations: {org.example.format: spdx}}, {artifactType: a/b}]',
    beside: SIGNATURES,
    there: [APP, unnamed(parts)],
    absent: [signed],
    looks: 'beside',
  },
  {
    title: 'referrers with fastCheck',
    keys: 'referrers: true, fastCheck: true',
    beside: SIGNATURES,
    there: [APP, ...SIGNATURES.app],
  },
  {
    title: 'referrers of another repository',
    keys: (_, beside) => `referrers: true, referrerSource: "${beside('signatures')}"`,
    beside: { signatures: SIGNATURES.app },
    there: [APP, ...SIGNATURES.app],
    looks: 'beside',
  },
  {
    title: 'referrers for another repository',
    keys: (place) => `referrers: true, referrerTarget: "${place('signatures')}"`,
    beside: SIGNATURES,
    absent: [signed, parts],
    elsewhere: { signatures: SIGNATURES.app },
    looks: 'beside',
  },
  {
    title: 'tags of digests, as cosign makes them',
    keys: 'digestTags: true',
    source: [APP, ...cosigned],
    there: [APP, ...cosigned],
    looks: 'beside',
  },
  { title: 'no tags of digests', keys: 'digestTags: false', source: [APP, ...cosigned] },
  {
    title: 'some platforms, and the index as it is',
    keys: 'platforms: [linux/amd64]',
    there: [named({ root: app.root, pieces: [...amd.pieces, ...amdProof.pieces, ...app.pieces.slice(-1)] }, '1')],
    absent: [armProof],
    looks: 'beside',
    refusedBy: { kind: 'docker-registry', code: 'OCL_MISSING_BLOBS' },
  },
  {
    title: 'some platforms, and the index written anew',
    keys: 'platforms: [linux/amd64], sparse: rewrite',
    there: [named(index([amd, amdProof]), '1')],
    absent: [armProof],
    looks: 'beside',
  },
  {
    title: 'one platform',
    keys: 'platform: linux/arm64',
    there: [named(arm, '1')],
    absent: [armProof],
    looks: 'beside',
  },
  {
    title: 'the newest by version',
    type: 'repository',
    keys: 'tags: {newest: 2}',
    source: months,
    copied: 2,
    there: [v1_10, v1_9],
  },
  {
    title: 'the newest by date',
    type: 'repository',
    keys: 'tags: {newest: 2, newestBy: date}',
    source: months,
    copied: 2,
    there: [v1_2, nightly],
    looks: 'inside',
  },
  {
    title: 'what was made since a day',
    type: 'repository',
    keys: 'tags: {since: 2026-02-01, deny: [nightly]}',
    source: months,
    copied: 2,
    there: [v1_10, v1_2],
    looks: 'inside',
  },
  {
    title: 'layers that may not be given away',
    keys: 'includeExternal: true',
    source: [named(wholeWindows, '1')],
    there: [named(wholeWindows, '1')],
  },
  {
    title: 'no layers that may not be given away',
    keys: 'includeExternal: false',
    source: [named(wholeWindows, '1')],
    there: [named(windows, '1')],
    absent: [{ root: hidden.descriptor, pieces: [hidden] }],
  },
  {
    title: 'a type that is not wanted',
    keys: `mediaTypes: [${MEDIA.ociIndex}]`,
    source: [docker],
    copied: 0,
    there: [],
    says: 'is not among mediaTypes',
  },
  { title: 'a type that is wanted', keys: `mediaTypes: [${MEDIA.dockerManifest}]`, source: [docker], there: [docker] },
];
