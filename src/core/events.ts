import { type Descriptor } from './descriptor.ts';
import { type OclError } from './errors.ts';

/** How a sink takes a content without a stream. */
export type Shortcut = 'linked' | 'cloned' | 'mounted';

/** How a node came to be in the sink. */
export type Outcome = 'present' | Shortcut | 'streamed';

export interface ImageTotals {
  readonly nodes: number;
  /** Bytes of all nodes, whatever way they take. */
  readonly bytes: number;
  /** Bytes that really flowed. */
  readonly streamed: number;
}

/** What the engine tells while it works. The command line draws it; `--json` prints it, one object a line. */
export type OclEvent =
  | {
      readonly type: 'image.start';
      readonly image: string;
      readonly from: string;
      readonly to: string;
      readonly root: Descriptor;
    }
  | { readonly type: 'image.plan'; readonly image: string; readonly nodes: number; readonly bytes: number }
  | { readonly type: 'blob.start'; readonly blob: Descriptor }
  /** So many bytes lay here since an earlier run broke off, and do not flow again. */
  | { readonly type: 'blob.resume'; readonly blob: Descriptor; readonly bytes: number }
  | { readonly type: 'blob.bytes'; readonly blob: Descriptor; readonly bytes: number }
  | { readonly type: 'blob.done'; readonly blob: Descriptor; readonly outcome: Outcome }
  /** A check has read it to its end, whatever it found. */
  | { readonly type: 'blob.checked'; readonly blob: Descriptor }
  | {
      readonly type: 'image.done';
      readonly image: string;
      readonly root: Descriptor;
      /** Partial: other volumes have the rest, and the image has no name yet. */
      readonly outcome: 'copied' | 'current' | 'partial';
      readonly totals: ImageTotals;
      readonly ms: number;
    }
  | {
      readonly type: 'image.failed';
      readonly image: string;
      readonly error: OclError;
      /** It is the failure of all that were to be written together, and was told of the first of them. */
      readonly again?: boolean | undefined;
    }
  /** Copies from a registry wait for its limits. */
  | {
      readonly type: 'wait';
      readonly host: string;
      /** When it is asked again, in milliseconds since the epoch. */
      readonly until: number;
      /** Pulls that are left, and that its window allows; undefined: it does not tell. */
      readonly remaining: number | undefined;
      readonly limit: number | undefined;
      /** Pulls that are kept for others; 0 is none. */
      readonly min: number;
    }
  /** They go on. */
  | { readonly type: 'wait.over'; readonly host: string; readonly min: number }
  | { readonly type: 'notice'; readonly level: 'info' | 'warning'; readonly message: string };

export type Emit = (event: OclEvent) => void;

export const silent: Emit = () => {};
