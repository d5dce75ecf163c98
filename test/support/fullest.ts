/** The most starts in any span of so many ms. */
export function fullest(starts: readonly number[], duration: number): number {
  let most = 0;
  for (let from = 0, to = 0; to < starts.length; to += 1) {
    while ((starts[to] as number) - (starts[from] as number) >= duration) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
