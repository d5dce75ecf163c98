import { createHistogram, performance } from 'node:perf_hooks';
import { MEASURED } from '../src/jobs.mjs';

const PER_SECOND = 1_000;
const TICK_MS = 1;

export default {
  name: 'latency',
  title: 'latency add → handler at 1,000/s',
  sizes: { full: { jobs: 10_000 }, quick: { jobs: 3_000 } },
  exactly: ({ jobs }) => jobs,
  metrics: [
    { key: 'p50Ms', target: 1 },
    { key: 'p99Ms', target: 1 },
  ],

  /** Producer and worker share a process, on both sides. */
  async open({ driver, jobs, warmUpMs }) {
    const queue = await driver.queue(MEASURED);
    let histogram = createHistogram();
    let handled = 0;
    let onHandled;
    const worker = await driver.worker(
      MEASURED,
      async (job) => {
        histogram.record(Math.max(1, Math.round((performance.now() - job.data.at) * 1_000)));
        handled += 1;
        onHandled?.();
      },
      { concurrency: 100 },
    );
    worker.start();

    const run = async (count) => {
      histogram = createHistogram();
      handled = 0;
      const all = new Promise((resolve) => (onHandled = () => handled === count && resolve()));
      await Promise.all([addPaced(queue, count), all]);
      return {
        jobs: handled,
        values: { p50Ms: histogram.percentile(50) / 1_000, p99Ms: histogram.percentile(99) / 1_000 },
      };
    };
    await run((warmUpMs / 1_000) * PER_SECOND);
    return {
      run: () => run(jobs),
      async close() {
        await worker.close();
        await queue.close();
      },
    };
  },
};

/** An open loop: what is due is added, whether or not earlier jobs have been handled. */
function addPaced(queue, count) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    let added = 0;
    const timer = setInterval(() => {
      const due = Math.min(count, Math.floor(((performance.now() - started) / 1_000) * PER_SECOND));
      for (; added < due; added += 1) queue.add('welcome', { at: performance.now() }).catch(reject);
      if (added < count) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
}
