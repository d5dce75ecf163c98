/** Code that depends on time takes a clock: monotonic for durations, wall time for time stamps. */
export interface Clock {
  /** Unix ms. */
  now(): number;
  /** Monotonic ms, with fractions. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
