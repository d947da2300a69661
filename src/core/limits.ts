/** What is accepted from outside. Larger things fail with OCL_LIMIT instead of filling memory or disk. */
export const LIMITS = {
  /** Bytes of one image manifest. Registries take 4 MiB; some writers go beyond. */
  manifestBytes: 8 << 20,
  /** Bytes of one index, `index.json` of a layout included. */
  indexBytes: 64 << 20,
  /** Bytes of an image config. */
  configBytes: 8 << 20,
  /** Nesting of JSON values. */
  jsonDepth: 100,
  /** Nesting of indexes below a root. */
  indexDepth: 10,
  /** Descriptors in one document. */
  descriptors: 200_000,
  /** Nodes of one graph. */
  graphNodes: 1_000_000,
  /** Referrers of referrers. */
  referrerDepth: 10,
  /** Bytes of an error answer that are read. */
  errorBody: 64 << 10,
  /** Bytes of a token answer. */
  tokenBody: 1 << 20,
  /** Bytes of one page of tags, repositories or referrers. */
  pageBytes: 16 << 20,
  /** Pages of one listing. */
  pages: 10_000,
  /** Tags or repositories of one listing. */
  names: 1_000_000,
  /** Milliseconds from a request to the end of a small answer: a token, a manifest, a page. */
  smallAnswer: 5 * 60_000,
  /** Bytes a second that an answer must bring on average over a minute, when it takes that long. What is slower is taken for a broken connection. */
  slowestRate: 1024,
  /** Hops of one redirected request. */
  redirects: 10,
  /** Entries of one archive. */
  archiveEntries: 2_000_000,
  /** Bytes of one PAX header or GNU long name. */
  tarExtension: 1 << 20,
  /** Bytes of all entry names of one archive, links included. */
  archiveNames: 256 << 20,
  /** Bytes of one entry name of an archive. */
  archiveName: 4096,
  /** Bytes of the `manifest.json` of a docker archive. */
  dockerManifestBytes: 20 << 20,
  /** Bytes that decompressing one thing may give. */
  decompressedBytes: 2 ** 40,
  /** Bytes out for each byte in, once `decompressionFloor` is passed. */
  decompressionRatio: 200,
  /** Bytes that may come out whatever went in. */
  decompressionFloor: 256 << 20,
  /** Bytes of the window of a zstd frame: what `zstd -d` takes without being asked. */
  zstdWindow: 128 << 20,
  /** Volumes of one bundle. */
  volumes: 9999,
  /** Bytes of an inventory, packed and unpacked: eight million blobs. */
  inventoryBytes: 64 << 20,
  /** Entries of all layers of one image that is flattened, directories that are only implied included. */
  rootfsEntries: 2_000_000,
  /** Bytes of all layers of one image together, decompressed, when it is flattened. */
  rootfsBytes: 2 ** 38,
  /** Bytes of one component of a path: what file systems take. */
  pathComponent: 255,
  /** Links that are followed on the way to one entry. */
  linkHops: 40,
  /** Bytes of a scanner's database, decompressed. */
  scanDatabaseBytes: 2 ** 36,
  /** Files of a scanner's database. */
  scanDatabaseEntries: 200_000,
  /** Bytes of a scanner's result or SBOM that is attached: what cosign takes. */
  scanResultBytes: 128 << 20,
  /** Bytes of a receipt, its inventory included. */
  receiptBytes: 192 << 20,
  /** Bytes of a YAML or JSON configuration file. */
  configFile: 32 << 20,
  /** Bytes of one file of a Meshery entity. Designs and models are texts; a WASM filter is the largest. */
  meshFile: 64 << 20,
  /** Bytes of all files of one Meshery entity. */
  meshEntity: 128 << 20,
  /** Files of a tree that is searched for Meshery entities. */
  meshFiles: 500_000,
  /** Directories below one another in such a tree. */
  meshDepth: 64,
  /** Archives within archives in such a tree. */
  meshNesting: 3,
} as const;
