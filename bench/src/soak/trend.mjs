import { median } from '../stats.mjs';

const HOUR_MS = 3_600_000;
/** Kendall's tau above which values rise as a rule, and not by chance. */
const RISES = 0.3;
/** The share of the samples whose median counts as the value at the start, or at the end. */
const END_SHARE = 0.1;

/**
 * How a value has developed. The slope is Theil's and Sen's: the median of the slopes between all pairs of samples,
 * which single peaks do not move.
 *
 * @param {readonly { at: number, value: number }[]} samples at least two; at: ms
 * @param {{ least: number, share: number }} bound how much it may rise: so much, or this share of the first value
 */
export function trendOf(samples, { least, share }) {
  const values = samples.map(({ value }) => value);
  const edge = Math.max(1, Math.round(samples.length * END_SHARE));
  const first = median(values.slice(0, edge));
  const last = median(values.slice(-edge));
  const allowed = Math.max(least, share * first);
  const slopes = [];
  let order = 0;
  for (let later = 1; later < samples.length; later += 1) {
    for (let earlier = 0; earlier < later; earlier += 1) {
      const difference = samples[later].value - samples[earlier].value;
      slopes.push(difference / (samples[later].at - samples[earlier].at));
      order += Math.sign(difference);
    }
  }
  const slope = median(slopes);
  const risen = slope * (samples.at(-1).at - samples[0].at);
  const grows = Math.max(risen, last - first) > allowed && order / slopes.length > RISES;
  return { first, last, perHour: slope * HOUR_MS, allowed, grows };
}
