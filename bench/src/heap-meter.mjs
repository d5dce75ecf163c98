const MIB = 2 ** 20;
/** Looks between two collections of garbage: those are slow. */
const COLLECT_EVERY = 2_000;
const LOOK_EVERY = 50;

/** Watches the heap, with the buffers beside it, from inside a handler: at a time when jobs are held. */
export function heapMeter() {
  let running = false;
  let looks = 0;
  let peak = 0;
  let held = 0;
  return {
    start: () => (running = true),
    look() {
      looks += 1;
      if (!running || looks % LOOK_EVERY > 0) return;
      peak = Math.max(peak, used());
      if (looks % COLLECT_EVERY > 0) return;
      globalThis.gc();
      held = Math.max(held, used());
    },
    values: () => ({ heapMiB: held / MIB, peakHeapMiB: peak / MIB }),
  };
}

function used() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
