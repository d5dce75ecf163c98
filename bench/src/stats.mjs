/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How far the values lie apart, as a share of their median: 0.1 is ± 5 %. */
export function spread(values) {
  const middle = median(values);
  return middle === 0 ? 0 : (Math.max(...values) - Math.min(...values)) / middle;
}

/**
 * Ratios of values measured in the same round, which share the noise of the machine.
 *
 * @param {readonly (number | undefined)[]} ours by round
 * @param {readonly (number | undefined)[]} peers by round
 * @returns {{ median: number, min: number, max: number } | undefined}
 */
export function pairedRatio(ours, peers) {
  const ratios = ours.map((value, round) => value / peers[round]).filter((ratio) => Number.isFinite(ratio));
  if (ratios.length === 0) return undefined;
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}
