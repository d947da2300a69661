export interface BigSyncOptions {
  readonly images: number;
  /** Registries that each get every image. */
  readonly targets: number;
  /** Each image is one step with all targets, or a step for each. */
  readonly shape: 'one step an image' | 'a step a target';
}

/** Where the image of a number comes from, without its tag `1`. */
export function bigSource(image: number): string {
  return `source.test/team${image % 40}/app${image}`;
}

/** The text of a sync file as platforms with thousands of images generate them (spec/regsync.md 10.3). */
export function bigSync({ images, targets, shape }: BigSyncOptions): string {
  const lines = ['version: 1', 'defaults: {parallel: 8, ratelimit: {min: 20, retry: 15m}}', 'sync:'];
  for (let image = 0; image < images; image++) {
    const source = bigSource(image);
    const places = Array.from({ length: targets }, (_, target) => `${source.replace('source', `target${target}`)}:1`);
    const step = (key: string): void => void lines.push(`  - type: image`, `    source: ${source}:1`, `    ${key}`);
    if (shape === 'one step an image') step(`targets: [${places.join(', ')}]`);
    else for (const place of places) step(`target: ${place}`);
  }
  return `${lines.join('\n')}\n`;
}
