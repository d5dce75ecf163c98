export interface Load {
  /** Resolves when the last `add` has ended; with `wait` false, at once. */
  stop(wait?: boolean): Promise<void>;
}

/** `count` loops that each call `add` again as soon as it has ended. */
export function untilStopped(count: number, add: () => Promise<unknown>): Load {
  let stopped = false;
  const loop = async (): Promise<void> => {
    while (!stopped) await add();
  };
  const running = Promise.all(Array.from({ length: count }, loop));
  return {
    async stop(wait = true) {
      stopped = true;
      if (wait) await running;
    },
  };
}

/** Numbers in [0, 1) that follow from the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
