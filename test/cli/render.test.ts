import { describe, expect, it } from 'vitest';
import { barText } from '../../src/cli/render/bars.ts';
import { formatBytes, formatDuration, formatTable } from '../../src/cli/render/format.ts';
import { createJsonRenderer } from '../../src/cli/render/json.ts';
import { createPlainRenderer } from '../../src/cli/render/plain.ts';
import { fraction, INITIAL, reduce } from '../../src/cli/render/state.ts';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { OclError } from '../../src/core/errors.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { fakeClock } from '../support/fakeClock.ts';

const blob: Descriptor = { mediaType: 'x/y', digest: `sha256:${'a'.repeat(64)}`, size: 1000 };
const other: Descriptor = { ...blob, digest: `sha256:${'b'.repeat(64)}`, size: 500 };
const events: readonly OclEvent[] = [
  { type: 'image.start', image: 'app:1', from: 'a', to: 'b', root: blob },
  { type: 'image.plan', image: 'app:1', nodes: 2, bytes: 1500 },
  { type: 'blob.bytes', blob, bytes: 400 },
  // A try that failed, and began again.
  { type: 'blob.bytes', blob, bytes: 1000 },
  { type: 'blob.done', blob, outcome: 'streamed' },
  { type: 'blob.done', blob: other, outcome: 'linked' },
];

describe('the state of a run', () => {
  it('comes to the planned bytes, whatever way they took', () => {
    const state = events.reduce(reduce, INITIAL);
    expect(state).toMatchObject({ planned: 1500, moved: 1500, streamed: 1400 });
    expect(fraction(state)).toBe(1);
    expect(state.active.size).toBe(0);
  });

  it('counts what lay there already as done, and not as transferred', () => {
    const resumed: readonly OclEvent[] = [
      { type: 'image.plan', image: 'app:1', nodes: 1, bytes: 1000 },
      { type: 'blob.resume', blob, bytes: 700 },
      { type: 'blob.bytes', blob, bytes: 300 },
    ];
    const state = resumed.reduce(reduce, INITIAL);
    expect(state).toMatchObject({ moved: 1000, streamed: 300 });
    const done = reduce(state, { type: 'blob.done', blob, outcome: 'streamed' });
    expect([done.moved, fraction(done)]).toEqual([1000, 1]);
  });

  it('forgets what a check has read, and counts it', () => {
    const checked: readonly OclEvent[] = [
      { type: 'image.plan', image: 'app:1', nodes: 1, bytes: 1000 },
      { type: 'blob.bytes', blob, bytes: 1000 },
      { type: 'blob.checked', blob },
    ];
    const state = checked.reduce(reduce, INITIAL);
    expect([state.moved, fraction(state), state.active.size]).toEqual([1000, 1, 0]);
  });

  it('is drawn with totals, speed and the time that is left', () => {
    const half = events.slice(0, 3).reduce(reduce, INITIAL);
    expect(barText(half, 2000)).toBe('26 % · 400 B of 1.5 kB · 200 B/s · 5.5 s left');
  });
});

describe('waiting for the limits of a registry', () => {
  const until = Date.UTC(2026, 10, 21, 10);
  const wait: OclEvent = { type: 'wait', host: 'docker.io', until, remaining: 3, limit: 100, min: 50 };
  const over: OclEvent = { type: 'wait.over', host: 'docker.io', min: 50 };

  it('stands in the bar for as long as it lasts', () => {
    const waiting = [...events.slice(0, 3), wait].reduce(reduce, INITIAL);
    expect(barText(waiting, 2000)).toContain(' · docker.io waits until 2026-11-21T10:00:00Z');
    expect(barText(reduce(waiting, over), 2000)).not.toContain('waits');
  });

  it.each<[OclEvent, string]>([
    [wait, 'waiting   docker.io until 2026-11-21T10:00:00Z  (3 of 100 pulls left, 50 are kept for others)'],
    [{ ...wait, limit: undefined, min: 0 }, 'waiting   docker.io until 2026-11-21T10:00:00Z  (3 pulls left)'],
    [
      { ...wait, remaining: undefined, min: 0 },
      'waiting   docker.io until 2026-11-21T10:00:00Z  (it asks for a pause)',
    ],
    [over, 'goes on   docker.io'],
  ])('is a line: %o', (event, line) => {
    const lines: string[] = [];
    createPlainRenderer((text) => void lines.push(text), fakeClock()).emit(event);
    expect(lines).toEqual([line]);
  });

  it('is an event of its own for programs', () => {
    const lines: string[] = [];
    createJsonRenderer((text) => void lines.push(text), fakeClock()).emit(wait);
    expect(JSON.parse(lines[0] ?? '')).toEqual({ ...wait, until: '2026-11-21T10:00:00.000Z' });
  });
});

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1_234_567, '1.2 MB'],
    [256 << 20, '268 MB'],
    [5e15, '5.0 PB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [850, '850 ms'],
    [12_345, '12.3 s'],
    [245_000, '4 min 05 s'],
    [7_380_000, '2 h 03 min'],
  ])('%d ms are %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it('stand in columns', () => {
    expect(
      formatTable(
        ['A', 'LONG'],
        [
          ['x', 'y'],
          ['longer', 'z'],
        ],
      ),
    ).toBe('A       LONG\nx       y\nlonger  z');
  });
});

describe('renderers', () => {
  const error = new OclError('OCL_NOT_FOUND', 'Cannot find it');
  const failed: OclEvent = {
    type: 'image.failed',
    image: 'app:2\u001B[2J',
    error,
  };

  it('print one line for each thing that is worth one, without escapes from outside', () => {
    const lines: string[] = [];
    const renderer = createPlainRenderer((line) => lines.push(line), fakeClock());
    for (const event of [...events, failed]) renderer.emit(event);
    expect(lines).toEqual(['failed    app:2\\u{1b}[2J  Cannot find it [OCL_NOT_FOUND]']);
    expect(renderer.hasShown(error)).toBe(true);
  });

  it('name each image that fails for one reason, once', () => {
    const lines: string[] = [];
    const renderer = createPlainRenderer((line) => lines.push(line), fakeClock());
    for (const image of ['app:1', 'app:2', 'app:1']) renderer.emit({ type: 'image.failed', image, error });
    expect(lines).toEqual(['app:1', 'app:2'].map((image) => `failed    ${image}  Cannot find it [OCL_NOT_FOUND]`));
    expect(['app:2', 'app:3', undefined].map((image) => renderer.hasShown(error, image))).toEqual([true, false, true]);
  });

  it('tell once of a failure of an archive as a whole', () => {
    const lines: string[] = [];
    const renderer = createPlainRenderer((line) => lines.push(line), fakeClock());
    renderer.emit({ type: 'image.failed', image: 'app:1', error });
    renderer.emit({ type: 'image.failed', image: 'app:2', error, again: true });
    expect(lines).toEqual(['failed    app:1  Cannot find it [OCL_NOT_FOUND]']);
    expect(renderer.hasShown(error, 'app:2')).toBe(true);
  });

  it('print JSON, one object a line, with errors as plain objects', () => {
    const lines: string[] = [];
    const renderer = createJsonRenderer((line) => lines.push(line), fakeClock());
    for (const event of [...events, failed]) renderer.emit(event);
    const parsed = lines.map((line) => JSON.parse(line) as { type: string });
    expect(parsed.map(({ type }) => type)).toEqual([
      'image.start',
      'image.plan',
      'blob.done',
      'blob.done',
      'image.failed',
    ]);
    expect(parsed.at(-1)).toMatchObject({ error: { code: 'OCL_NOT_FOUND', message: 'Cannot find it' } });
  });
});
