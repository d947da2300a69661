import { type HttpHeaders } from '../../io/httpMessages.ts';

/** Where a repository's name stands in an answer to a person. */
interface RepositoryName {
  /** As people know the registry. */
  readonly host: string;
  readonly repository: string;
}

/** How one kind of registry bends the specification. What is not said here follows it. */
export interface Quirks {
  /** What people call it; undefined: nothing is known, and the answers decide. */
  readonly product: string | undefined;
  /** Takes the pieces of an upload (PATCH); false: whole blobs alone. */
  readonly chunkedUpload: boolean;
  /** Bytes that a piece must have at least, the last one excepted. */
  readonly minChunk: number;
  /** `_catalog`: for everybody who may pull, for those who rule the registry, or not there. */
  readonly catalog: 'yes' | 'privileged' | 'no';
  /** DELETE of a tag, of digests alone, or of nothing by this API. */
  readonly deletes: 'tags' | 'digests' | 'nothing';
  /** DELETE of a blob. */
  readonly deleteBlob: boolean;
  /** What to do where something cannot be deleted. */
  readonly deleteHint: string | undefined;
  /** The referrers API: there, not there (fallback tags), or to be asked for. */
  readonly referrers: 'api' | 'tag' | 'ask';
  /** Blobs can be taken from another repository. */
  readonly mount: boolean;
  /** Entries of a listing that one page may be asked to hold; undefined: it is left to the registry. */
  readonly maxPage: number | undefined;
  /** Parts of a repository's name, divided by `/`. */
  readonly fewestParts: number;
  readonly deepestRepository: number;
  /** How the name of a repository is made, for people. */
  readonly shape: string | undefined;
  /** What uses up the allowance of pulls, where there is one. */
  readonly pullCountsBy: 'GET of a manifest' | 'request' | undefined;
  /** How a repository is made that a push does not make; undefined: a push makes it. */
  readonly textWhenRepositoryMissing: ((name: RepositoryName) => string) | undefined;
}

interface Row extends Partial<Quirks> {
  readonly product: string;
  /** The section of the facts that this follows. */
  readonly source: string;
  /** The registry's name, without its port. */
  readonly hosts?: RegExp;
  /** A header that only this kind of registry sends. */
  readonly headers?: readonly (readonly [name: string, value: RegExp])[];
}

const BY_THE_SPECIFICATION: Quirks = {
  product: undefined,
  chunkedUpload: true,
  minChunk: 0,
  catalog: 'yes',
  deletes: 'tags',
  deleteBlob: true,
  deleteHint: undefined,
  referrers: 'ask',
  mount: true,
  maxPage: undefined,
  fewestParts: 1,
  deepestRepository: Number.POSITIVE_INFINITY,
  shape: undefined,
  pullCountsBy: undefined,
  textWhenRepositoryMissing: undefined,
};

const projectOf = (repository: string): string => repository.split('/', 1)[0] ?? repository;
const regionOf = (host: string): string => /\.dkr[.-]ecr(?:-fips)?\.([^.]+)\./.exec(host)?.[1] ?? 'REGION';

/**
 * The first row that fits counts: by the name of the host, else by what the server says of itself.
 * `Docker-Distribution-Api-Version` is no sign of anything, since nearly all send it; docker-registry and zot say nothing of
 * themselves, and are known by their answers.
 */
const TABLE: readonly Row[] = [
  {
    product: 'Docker Hub',
    source: 'oci.md 8.1',
    hosts: /^(?:docker\.io|(?:registry-1|index)\.docker\.io)$/,
    catalog: 'no',
    deletes: 'nothing',
    deleteHint: 'delete it on https://hub.docker.com: the registry itself takes nothing away',
    referrers: 'tag',
    fewestParts: 2,
    deepestRepository: 2,
    shape: 'NAMESPACE/NAME',
    pullCountsBy: 'GET of a manifest',
  },
  {
    product: 'GHCR',
    source: 'oci.md 8.2',
    hosts: /^ghcr\.io$/,
    catalog: 'no',
    deletes: 'nothing',
    deleteHint: 'delete the package version on https://github.com, or with gh api --method DELETE',
    referrers: 'tag',
    fewestParts: 2,
    shape: 'OWNER/NAME',
  },
  {
    product: 'ECR Public',
    source: 'oci.md 8.2',
    hosts: /^public\.ecr\.aws$/,
    catalog: 'no',
    fewestParts: 2,
    shape: 'ALIAS/NAME',
    minChunk: 5 << 20,
    textWhenRepositoryMissing: ({ repository }) =>
      `aws ecr-public create-repository --region us-east-1 --repository-name ${repository.split('/').slice(1).join('/') || repository}`,
  },
  {
    product: 'ECR',
    source: 'oci.md 8.2; regsync.md 6, Tag list',
    hosts: /\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$/,
    headers: [['www-authenticate', /service="?ecr\.amazonaws\.com/i]],
    catalog: 'privileged',
    deletes: 'digests',
    minChunk: 5 << 20,
    maxPage: 1000,
    textWhenRepositoryMissing: ({ host, repository }) =>
      `aws ecr create-repository --region ${regionOf(host)} --repository-name ${repository}`,
  },
  {
    product: 'Google Artifact Registry',
    source: 'oci.md 8.2',
    hosts: /^(?:[a-z0-9-]+\.)?(?:gcr\.io|pkg\.dev)$/,
    headers: [['www-authenticate', /realm="?https:\/\/(?:[a-z0-9-]+\.)?(?:gcr\.io|pkg\.dev)\/v2\/token/i]],
    chunkedUpload: false,
    referrers: 'api',
    textWhenRepositoryMissing: ({ host, repository }) => {
      const [project = 'PROJECT', name = 'NAME'] = repository.split('/');
      const location = /^(.+)-docker\.pkg\.dev$/.exec(host)?.[1] ?? 'LOCATION';
      return `gcloud artifacts repositories create ${name} --repository-format=docker --location=${location} --project=${project}`;
    },
  },
  {
    product: 'Azure Container Registry',
    source: 'oci.md 8.2',
    hosts: /\.azurecr\.(?:io|cn|us)$/,
    headers: [['server', /^AzureContainerRegistry/i]],
    referrers: 'api',
  },
  {
    product: 'Quay',
    source: 'oci.md 8.2',
    hosts: /^quay\.io$/,
    headers: [['www-authenticate', /realm="?https?:\/\/[^"/]+\/v2\/auth"?/i]],
    catalog: 'privileged',
    deleteBlob: false,
    deleteHint: 'Quay removes blobs by itself once no tag needs them',
    maxPage: 100,
  },
  {
    product: 'GitLab',
    source: 'oci.md 8.2',
    hosts: /^registry\.gitlab\.com$/,
    headers: [
      ['gitlab-container-registry-version', /./],
      ['www-authenticate', /\/jwt\/auth"?/i],
    ],
    catalog: 'no',
    referrers: 'tag',
    fewestParts: 2,
    shape: 'GROUP/PROJECT[/IMAGE]',
    textWhenRepositoryMissing: ({ repository }) =>
      `create the project ${repository.split('/').slice(0, 2).join('/')} in GitLab, or name one that exists: GROUP/PROJECT[/IMAGE]`,
  },
  {
    product: 'Artifactory',
    source: 'oci.md 8.2',
    hosts: /\.jfrog\.io$/,
    headers: [
      ['x-jfrog-version', /./],
      ['x-artifactory-id', /./],
      ['server', /^Artifactory/i],
    ],
    textWhenRepositoryMissing: ({ host, repository }) =>
      `create the Docker repository ${projectOf(repository)} on https://${host}, or name one that exists: REPOSITORY/IMAGE`,
  },
  {
    product: 'Harbor',
    source: 'oci.md 8.2; regsync.md 6, Tag delete',
    headers: [
      ['www-authenticate', /service="?harbor-registry/i],
      ['x-harbor-csrf-token', /./],
    ],
    catalog: 'privileged',
    deletes: 'digests',
    referrers: 'api',
    fewestParts: 2,
    shape: 'PROJECT/NAME',
    textWhenRepositoryMissing: ({ host, repository }) =>
      `create the project ${projectOf(repository)} on https://${host}/harbor/projects`,
  },
  {
    product: 'Nexus',
    source: 'oci.md 8.2',
    headers: [['server', /^Nexus\//i]],
  },
  {
    product: "Red Hat's registry",
    source: 'oci.md 8.2',
    hosts: /^registry\.(?:access\.|connect\.)?redhat\.(?:io|com)$/,
    catalog: 'no',
    deletes: 'nothing',
  },
];

const NO_HEADERS: HttpHeaders = new Map();

/**
 * What is known of a registry.
 * @param host the registry's name, with or without its port
 * @param headers of one or more of its answers
 */
export function quirksOf(host: string, headers: HttpHeaders = NO_HEADERS): Quirks {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  const row =
    TABLE.find(({ hosts }) => hosts?.test(name)) ??
    TABLE.find(({ headers: signs = [] }) =>
      signs.some(([header, value]) => headers.get(header)?.some((text) => value.test(text.slice(0, MAX_HEADER)))),
    );
  return row === undefined ? BY_THE_SPECIFICATION : { ...BY_THE_SPECIFICATION, ...row };
}

/** Characters of a header that are searched. */
const MAX_HEADER = 4096;

/** A name that fits the shape of a registry, for one that does not: parts that are too many are joined, a missing one is added. */
export function fittingName(repository: string, { fewestParts, deepestRepository }: Quirks): string | undefined {
  const parts = repository.split('/');
  if (parts.length > deepestRepository)
    return [...parts.slice(0, deepestRepository - 1), parts.slice(deepestRepository - 1).join('-')].join('/');
  if (parts.length < fewestParts)
    return [...Array.from({ length: fewestParts - parts.length }, () => 'NAMESPACE'), ...parts].join('/');
  return undefined;
}
