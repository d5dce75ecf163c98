/*
 * Whatever is capped or expires is small here, so that it is full within minutes: what grows after that, leaks.
 */
export const QUEUE = 'soak';
export const EVENTS_KEPT = 20_000;
export const LETTERS_KEPT = 500;
export const RESULT_TTL_SECS = 10;
export const DEDUP_TTL_MS = 10_000;
/** Short, so that a job of some seconds has its lease renewed. */
export const LEASE_MS = 10_000;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** The longest that anything is kept is two minutes: the answers to adds that found a duplicate. */
const WARM_UP_MS = 3 * MINUTE;

/** The times of a run; a short one does the same things more often. */
export function timesOf(minutes) {
  const runMs = minutes * MINUTE;
  const within = (least, value, most) => Math.round(Math.min(most, Math.max(least, value)));
  return {
    runMs,
    /** Caches, compiled code, capped histories and whatever expires have their size after it. */
    warmUpMs: Math.max(runMs / 10, WARM_UP_MS),
    /** What has grown is judged only where most of the run comes after that. */
    judged: runMs >= 2 * WARM_UP_MS,
    sampleMs: within(SECOND, runMs / 60, 15 * SECOND),
    /** A worker closes and another takes its place, in the same process. */
    restartMs: within(5 * SECOND, runMs / 10, MINUTE),
    /** A whole worker process does. */
    replaceMs: within(10 * SECOND, runMs / 5, 5 * MINUTE),
    longestDelayMs: within(5 * SECOND, runMs / 10, 2 * MINUTE),
  };
}

/** @param {number} port */
export function connectionTo(port) {
  return { host: '127.0.0.1', port };
}
