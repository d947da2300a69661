import { type OclError } from '../../core/errors.ts';
import { type Pass } from './state.ts';
import { type IgnoredStep } from './timetable.ts';

/** What a server tells while it lives. Times are milliseconds since the epoch. */
export type ServerEvent =
  | { readonly type: 'server.ignored'; readonly ignored: IgnoredStep }
  | { readonly type: 'server.run'; readonly pass: Pass; readonly steps: number }
  | {
      readonly type: 'server.done';
      readonly pass: Pass;
      readonly steps: number;
      readonly copied: number;
      readonly current: number;
      readonly skipped: number;
      readonly failed: number;
      /** Images that were not begun, because the server stops. */
      readonly untried: number;
      /** Tags that were taken away. */
      readonly pruned: number;
      readonly bytes: number;
      readonly ms: number;
      /** The run as a whole did not come to its end. */
      readonly error?: OclError | undefined;
      /** When something runs next; undefined: never. */
      readonly next?: number | undefined;
    }
  | { readonly type: 'server.reload'; readonly steps: number; readonly error?: OclError | undefined }
  | { readonly type: 'server.stopping'; readonly runs: number; readonly graceMs: number }
  | { readonly type: 'server.aborting'; readonly runs: number };
