/** What one embedded registry accepts. All of it comes from strangers, so all of it has an end. */
export interface ServeLimits {
  /** Bytes of one manifest or index that is pushed. */
  readonly manifestBytes: number;
  /** Bytes of one blob. */
  readonly blobBytes: number;
  /** Bytes of all unfinished uploads together. */
  readonly uploadBytes: number;
  /** Unfinished uploads. */
  readonly uploads: number;
  /** Milliseconds after which an upload that nobody feeds is dropped. */
  readonly uploadIdleMs: number;
  /** Tags, repositories or referrers of one page. */
  readonly pageEntries: number;
  /** Bytes of one page of referrers, whose annotations may be large; one entry always fits. */
  readonly pageBytes: number;
  /** Tags that one manifest may be pushed with (`?tag=`). */
  readonly tagsOfOnePush: number;
  /** Repositories in which a blob is looked for when a mount names none. */
  readonly mountSearch: number;
  /** Repositories that are kept open between requests. */
  readonly openRepositories: number;
}

export const SERVE_LIMITS: ServeLimits = {
  manifestBytes: 8 << 20,
  blobBytes: 256 * 2 ** 30,
  uploadBytes: 1024 * 2 ** 30,
  uploads: 1000,
  uploadIdleMs: 60 * 60 * 1000,
  pageEntries: 10_000,
  pageBytes: 4 << 20,
  tagsOfOnePush: 100,
  mountSearch: 1000,
  openRepositories: 64,
};
