import { basename } from 'node:path';
import { digestOf } from '../io/verify.ts';
import { type SyncStep } from './settings.ts';

/**
 * What a step is known by in journals and reports, whatever line it moves to and however its filters change: its file's name, its type and its
 * source. A step with another source is another one, and answers for nothing that this one did.
 */
export function stepKey(step: SyncStep): string {
  const known = KEYS.get(step);
  if (known !== undefined) return known;
  const { place, type, source, feed } = step;
  const text = JSON.stringify([basename(place.file), type, source, feed]);
  const key = digestOf(new TextEncoder().encode(text)).slice('sha256:'.length, 'sha256:'.length + 16);
  KEYS.set(step, key);
  return key;
}

/** It is asked for with every image of a step. */
const KEYS = new WeakMap<SyncStep, string>();
