import { basename } from 'node:path';
import { digestOf } from '../io/verify.ts';
import { type SyncStep } from './settings.ts';

/**
 * What a step is known by in journals and reports, whatever line it moves to and however its filters change: its file's name, its type and its
 * source. A step with another source is another one, and answers for nothing that this one did.
 */
export function stepKey({ place, type, source, feed }: SyncStep): string {
  const text = JSON.stringify([basename(place.file), type, source, feed]);
  return digestOf(new TextEncoder().encode(text)).slice('sha256:'.length, 'sha256:'.length + 16);
}
