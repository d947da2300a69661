import cliProgress from 'cli-progress';
import { type Clock } from '../../core/clock.ts';
import { formatBytes, formatDuration, formatTime } from './format.ts';
import { lineOf } from './plain.ts';
import { type Renderer } from './renderer.ts';
import { Shown } from './shown.ts';
import { fraction, INITIAL, reduce, type RunState } from './state.ts';

const SHOW_AFTER = 1000;
const REDRAW = 100;
const BAR_WIDTH = 24;

/** One bar for the whole run, with lines above it for what is done. It appears when a run takes longer than a second. */
export function createBarRenderer(stream: NodeJS.WriteStream, clock: Clock, colour: boolean): Renderer {
  const shown = new Shown();
  let state = INITIAL;
  const started = clock.now();
  let drawn = 0;
  let bars: cliProgress.MultiBar | undefined;
  let bar: cliProgress.SingleBar | undefined;

  const say = (line: string): void => {
    if (bars === undefined) stream.write(`${line}\n`);
    else bars.log(`${line}\n`);
  };
  const draw = (now: number): void => {
    if (now - started < SHOW_AFTER || state.planned === 0) return;
    bars ??= new cliProgress.MultiBar({
      stream,
      hideCursor: true,
      clearOnComplete: true,
      linewrap: false,
      gracefulExit: false,
      // Drawn here: cli-progress measures text with a package that the bundle replaces.
      format: (_options, { progress }, { text }: { readonly text: string }) =>
        colour ? `\u001B[36m${bricks(progress)}\u001B[0m ${text}` : `${bricks(progress)} ${text}`,
    });
    bar ??= bars.create(1000, 0, { text: '' });
    bar.update(Math.floor(fraction(state) * 1000), { text: barText(state, now - started) });
    bars.update();
  };
  return {
    emit(event) {
      state = reduce(state, event);
      const line = shown.note(event) ? lineOf(event) : undefined;
      if (line !== undefined) say(line);
      const now = clock.now();
      // Nothing more may come for hours after this.
      if (now - drawn < REDRAW && event.type !== 'wait') return;
      drawn = now;
      draw(now);
    },
    state: () => state,
    hasShown: (error, image) => shown.has(error, image),
    close() {
      // Lines are kept until the next drawing, and a bar that stops draws no more.
      bars?.update();
      bars?.stop();
      bars = undefined;
      bar = undefined;
    },
  };
}

function bricks(progress: number): string {
  const full = Math.round(progress * BAR_WIDTH);
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
}

/** `45 % · 1.2 of 2.6 GB · 180 MB/s · 8.0 s left · 3 of 12 images` */
export function barText(state: RunState, elapsed: number): string {
  const rate = state.moved / Math.max(0.001, elapsed / 1000);
  const left = rate > 0 ? (Math.max(0, state.planned - state.moved) / rate) * 1000 : 0;
  const { copied, current, failed, started } = state.images;
  const parts = [
    `${Math.floor(fraction(state) * 100)} %`,
    `${formatBytes(Math.min(state.moved, state.planned))} of ${formatBytes(state.planned)}`,
    `${formatBytes(rate)}/s`,
    `${formatDuration(left)} left`,
  ];
  if (started > 1) parts.push(`${copied + current + failed} of ${started} images`);
  for (const { host, until } of state.waiting.values()) parts.push(`${host} waits until ${formatTime(until)}`);
  return parts.join(' · ');
}
