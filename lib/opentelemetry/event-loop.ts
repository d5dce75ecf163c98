import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';

const RESOLUTION_MS = 20;
const NS = 1e9;

/** The delay of the event loop. It is measured from the first reading on, so a process that nobody asks pays nothing. */
export class EventLoop {
  #histogram: IntervalHistogram | undefined;

  /** In seconds, since the last reading; undefined if nothing was measured since. */
  read(): { p99: number; max: number } | undefined {
    const histogram = this.#histogram;
    if (!histogram) {
      this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#histogram.enable();
      return undefined;
    }
    if (histogram.count === 0) return undefined;
    const delay = { p99: delayOf(histogram.percentile(99)), max: delayOf(histogram.max) };
    histogram.reset();
    return delay;
  }
}

/** Node.js measures the time between two ticks of a timer: the delay is what exceeds its interval. */
function delayOf(ns: number): number {
  return Math.max(0, ns / NS - RESOLUTION_MS / 1000);
}
