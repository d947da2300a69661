/** What was probably meant by a word that is not known; undefined when nothing is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  return known
    .map((name) => ({
      name,
      far: word.toLowerCase() === name.toLowerCase() ? 0 : distance(word.toLowerCase(), name.toLowerCase()),
    }))
    .filter(({ name, far }) => far <= (name.length > 4 ? 2 : 1))
    .toSorted((a, b) => a.far - b.far)[0]?.name;
}

/** Edits between two short texts (Levenshtein). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
