const MIB = 2 ** 20;
/** Readings between two forced collections, which are slow. */
const COLLECT_EVERY = 2_000;
const READ_EVERY = 50;

/** Measures the heap and the buffers from inside a handler, while jobs are in flight. */
export function heapMeter() {
  let running = false;
  let looks = 0;
  let peak = 0;
  let live = 0;
  return {
    start: () => (running = true),
    look() {
      looks += 1;
      if (!running || looks % READ_EVERY > 0) return;
      peak = Math.max(peak, used());
      if (looks % COLLECT_EVERY > 0) return;
      globalThis.gc();
      live = Math.max(live, used());
    },
    values: () => ({ heapMiB: live / MIB, peakHeapMiB: peak / MIB }),
  };
}

function used() {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
