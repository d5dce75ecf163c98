/** The key that differs in the fewest letters; undefined if more than about half of the letters differ. */
export function nearestKey(key: string, keys: readonly string[]): string | undefined {
  return nearestKeys(key, keys, 1)[0];
}

/** The keys that differ in the fewest letters, nearest first; none of which more than about half of the letters differ. */
export function nearestKeys(key: string, keys: readonly string[], most: number): string[] {
  const bound = Math.max(2, Math.ceil(key.length / 2));
  return keys
    .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance < bound)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
