import { isObject, parseJson, type JsonObject } from '../core/json.ts';
import { OclError } from '../core/errors.ts';

export const RESULT_FORMATS = [
  'sarif',
  'cyclonedx-json',
  'cyclonedx-xml',
  'spdx-json',
  'spdx',
  'syft-json',
  'trivy-json',
  'grype-json',
  'openvex',
] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

/** Under which type each is listed as a referrer. Where no tool has a type of its own, one is made of its maker's name. */
export const ARTIFACT_TYPES: Readonly<Record<ResultFormat, string>> = {
  sarif: 'application/sarif+json',
  'cyclonedx-json': 'application/vnd.cyclonedx+json',
  'cyclonedx-xml': 'application/vnd.cyclonedx+xml',
  'spdx-json': 'application/spdx+json',
  spdx: 'text/spdx',
  'syft-json': 'application/vnd.syft+json',
  'trivy-json': 'application/vnd.aquasec.trivy.report+json',
  'grype-json': 'application/vnd.anchore.grype.report+json',
  openvex: 'application/vnd.openvex+json',
};

/** What a document says of itself. */
export interface ResultFacts {
  readonly format: ResultFormat;
  /** When it was made; milliseconds since the epoch. */
  readonly created: number | undefined;
  /** Digests of the image that it is about: of manifests and configs, as far as it names any. */
  readonly about: readonly string[];
}

/** What a scanner's result or an SBOM is, by its content; undefined when it is none that is known. */
export function readResult(bytes: Uint8Array): ResultFacts | undefined {
  const head = Buffer.from(bytes.subarray(0, HEAD))
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart();
  if (head.startsWith('{')) {
    const value = parsed(bytes);
    return value === undefined ? undefined : readJsonResult(value);
  }
  return ofText(head, bytes);
}

const HEAD = 8192;

function parsed(bytes: Uint8Array): JsonObject | undefined {
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  try {
    const value = parseJson(bytes.subarray(mark), 'the result');
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof OclError && error.code === 'OCL_DOCUMENT_INVALID') return undefined;
    throw error;
  }
}

/** The same for JSON that is parsed. */
export function readJsonResult(value: JsonObject): ResultFacts | undefined {
  const context = at(value, '@context');
  if (Array.isArray(value['runs']) && typeof value['version'] === 'string') return sarif(value);
  if (value['bomFormat'] === 'CycloneDX') {
    const component = at(value, 'metadata', 'component');
    const about = digests(at(component, 'version'), at(component, 'purl'), ...values(at(component, 'properties')));
    return facts('cyclonedx-json', at(value, 'metadata', 'timestamp'), about);
  }
  if (typeof value['spdxVersion'] === 'string') return facts('spdx-json', at(value, 'creationInfo', 'created'), []);
  if (startsWith(context, 'https://spdx.org/rdf/3')) return facts('spdx-json', spdx3Created(value), []);
  if (startsWith(context, 'https://openvex.dev/ns')) return facts('openvex', at(value, 'timestamp'), []);
  if (value['SchemaVersion'] === 2 && typeof value['ArtifactName'] === 'string') {
    const metadata = at(value, 'Metadata');
    return facts('trivy-json', at(value, 'CreatedAt'), digests(at(metadata, 'ImageID'), at(metadata, 'RepoDigests')));
  }
  const target = at(value, 'source', 'target') ?? at(value, 'source', 'metadata');
  const about = digests(at(target, 'imageID'), at(target, 'manifestDigest'), at(target, 'repoDigests'));
  if (Array.isArray(value['matches']) && isObject(value['source']))
    return facts('grype-json', at(value, 'descriptor', 'timestamp'), about);
  const schema = at(value, 'schema', 'url');
  if (typeof schema === 'string' && schema.includes('anchore/syft')) return facts('syft-json', undefined, about);
  return undefined;
}

function sarif(value: JsonObject): ResultFacts {
  const [run] = value['runs'] as readonly unknown[];
  const invocations = at(run, 'invocations');
  const first: unknown = Array.isArray(invocations) ? invocations[0] : undefined;
  const properties = at(run, 'properties');
  return facts(
    'sarif',
    at(first, 'endTimeUtc') ?? at(first, 'startTimeUtc'),
    digests(at(properties, 'imageID'), at(properties, 'repoDigests')),
  );
}

function spdx3Created(value: JsonObject): unknown {
  const graph = value['@graph'];
  if (!Array.isArray(graph)) return undefined;
  return at(
    graph.find((each) => at(each, 'type') === 'CreationInfo'),
    'created',
  );
}

function ofText(head: string, bytes: Uint8Array): ResultFacts | undefined {
  if (/^(?:#[^\n]*\n\s*)*SPDXVersion:/.test(head)) {
    const created = /^Created:\s*(\S+)/m.exec(Buffer.from(bytes.subarray(0, 1 << 20)).toString('utf8'))?.[1];
    return facts('spdx', created, []);
  }
  const root = /^(?:<\?[^>]*\?>\s*|<!--[\s\S]*?-->\s*)*<(?:[\w.-]+:)?bom\s([^>]*)>/.exec(head);
  if (root === null || !/cyclonedx\.org\/schema\/bom/.test(root[1] ?? '')) return undefined;
  return facts('cyclonedx-xml', /<(?:[\w.-]+:)?timestamp>\s*([^<\s]+)/.exec(head)?.[1], []);
}

function facts(format: ResultFormat, created: unknown, about: readonly string[]): ResultFacts {
  const time = typeof created === 'string' ? Date.parse(created) : NaN;
  return { format, created: time > 0 ? time : undefined, about };
}

/** A member of a member, where all of them are objects. */
function at(value: unknown, ...names: readonly string[]): unknown {
  let found = value;
  for (const name of names) found = isObject(found) ? found[name] : undefined;
  return found;
}

function startsWith(value: unknown, start: string): boolean {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  return texts.some((text) => typeof text === 'string' && text.startsWith(start));
}

/** What is in the `value` of properties. */
function values(properties: unknown): readonly unknown[] {
  return Array.isArray(properties) ? properties.map((property) => at(property, 'value')) : [];
}

/** Every sha256 or sha512 digest that stands in some texts or lists of texts. */
function digests(...texts: readonly unknown[]): readonly string[] {
  const found = new Set<string>();
  for (const text of texts.flat()) {
    if (typeof text !== 'string' || text.length > 10_000) continue;
    for (const [digest] of text.replaceAll(/%3a/gi, ':').matchAll(/sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}/g))
      found.add(digest);
  }
  return [...found];
}
