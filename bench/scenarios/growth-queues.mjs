import { warmUp } from '../src/consuming.mjs';
import { drained, fill } from '../src/jobs.mjs';

const name = (index) => `queue-${index}`;

/** The same number of jobs over more queues, each with a worker, in one process. */
export default [1, 20, 200].map((queues) => ({
  name: `growth-queues/${queues}`,
  title: queues === 1 ? 'one queue with a worker' : `${queues} queues with a worker each`,
  group: 'growth',
  variants: ['peer', 'ours'],
  params: { queues },
  sizes: { full: { jobs: 60_000, oursTimes: 2 }, quick: { jobs: 30_000, oursTimes: 2 } },
  exactly: ({ jobs }) => jobs,
  metrics: [{ key: 'rate', against: 'growth-queues/1' }],

  prepare: ({ driver, jobs, params: { queues } }) =>
    fill(driver, Object.fromEntries(Array.from({ length: queues }, (_, i) => [name(i), jobs / queues]))),

  async open(context) {
    const { driver, jobs, params } = context;
    await warmUp(context, { concurrency: 100 });

    let handled = 0;
    let reached;
    const all = new Promise((resolve) => (reached = resolve));
    const workers = await Promise.all(
      Array.from({ length: params.queues }, (_, index) =>
        driver.worker(name(index), async () => void ((handled += 1) === jobs && reached()), {
          concurrency: 100,
        }),
      ),
    );
    return {
      async run() {
        for (const worker of workers) worker.start();
        await all;
        for (let index = 0; index < params.queues; index += 1) await drained(context, name(index));
        return { jobs: handled };
      },
      close: () => Promise.all(workers.map((worker) => worker.close())),
    };
  },
}));
