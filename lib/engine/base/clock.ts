/** Durations come from the monotonic half, time stamps from the wall half. Injected where behaviour depends on it. */
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
