import { type Digest, splitDigest } from '../../core/digest.ts';

/** Characters: with the endings that scanners and file systems add it stays below 255. */
const LONGEST = 160;

/**
 * Names of files that every scanner, shell and file system takes: no `:` and `@`, at which Trivy and containers/image cut paths
 * (spec/oci.md 3.4, 4.2), no dash at the beginning, and no two that differ in case alone.
 */
export class Stems {
  readonly #taken = new Set<string>();

  /** @param reference as people know it @param suffix what tells inputs of one reference apart, such as a platform */
  of(reference: string, suffix: string | undefined, digest: Digest): string {
    const unique = `-${splitDigest(digest).encoded.slice(0, 12)}`;
    const end = suffix === undefined ? '' : `__${plain(suffix.replaceAll('/', '-'))}`;
    const base = plain(reference.replace(/@.*$/s, unique));
    const whole = `${base}${end}`;
    const fits = whole.length <= LONGEST;
    const stem = fits ? whole : `${base.slice(0, LONGEST - end.length - unique.length)}${unique}${end}`;
    const chosen = this.#taken.has(stem.toLowerCase()) ? `${stem}${unique}` : stem;
    let last = chosen;
    for (let count = 2; this.#taken.has(last.toLowerCase()); count++) last = `${chosen}-${count}`;
    this.#taken.add(last.toLowerCase());
    return last;
  }
}

function plain(text: string): string {
  const name = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/^[._-]+/, '')
    .replace(/[._-]+$/, '');
  return name === '' ? 'image' : name;
}
