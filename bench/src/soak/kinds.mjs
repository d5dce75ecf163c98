/**
 * The mixed load: of each hundred jobs so many of a kind, and what has to become of one. `runs` is how often its
 * handler is called when all goes well.
 */
export const KINDS = {
  plain: { share: 38, runs: 1, end: 'completed' },
  bulk: { share: 24, runs: 1, end: 'completed' },
  delayed: { share: 12, runs: 1, end: 'completed' },
  retried: { share: 8, runs: 2, end: 'completed' },
  unique: { share: 6, runs: 1, end: 'completed' },
  awaited: { share: 8, runs: 1, end: 'completed' },
  slow: { share: 2, runs: 1, end: 'completed' },
  dying: { share: 1, runs: 1, end: 'died' },
  removed: { share: 1, runs: 0, end: 'removed' },
};

export const KIND_NAMES = Object.keys(KINDS);

const HUNDRED = KIND_NAMES.flatMap((kind) => Array.from({ length: KINDS[kind].share }, () => kind));
/** Prime to a hundred: spreads the kinds. */
const STRIDE = 37;

/** The kind of the nth job. */
export function kindOf(n) {
  return HUNDRED[(n * STRIDE) % HUNDRED.length];
}

/** Of some tens of milliseconds mostly, of seconds now and then. */
export function slowMsOf(n) {
  return n % 1_000 < 50 ? 4_000 : 20;
}

/** Of milliseconds to seconds mostly, of minutes now and then. */
export function delayOf(n, longestMs) {
  const spread = (n * 7_919) % 1_000;
  return 5 + Math.round((spread / 1_000) * (n % 8 === 0 ? longestMs : Math.min(longestMs, 5_000)));
}
