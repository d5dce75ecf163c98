import { drained, fill, WARM_UP } from '../src/jobs.mjs';

const name = (index) => `queue-${index}`;

/** The same number of jobs over more queues, each with a worker, in one process. */
export default [1, 20, 200].map((queues) => ({
  name: `growth-queues/${queues}`,
  title: queues === 1 ? 'one queue with a worker' : `${queues} queues with a worker each`,
  group: 'growth',
  rounds: 3,
  variants: ['peer', 'ours'],
  params: { queues },
  sizes: { full: { jobs: 100_000, warmUp: 20_000 }, quick: { jobs: 30_000, warmUp: 10_000 } },
  exactly: ({ jobs }) => jobs,
  metrics: [{ key: 'rate', against: 'growth-queues/1' }],

  prepare: ({ driver, jobs, warmUp, params }) =>
    fill(driver, {
      [WARM_UP]: warmUp,
      ...Object.fromEntries(Array.from({ length: params.queues }, (_, i) => [name(i), jobs / params.queues])),
    }),

  async open(context) {
    const { driver, jobs, params } = context;
    const warm = await driver.worker(WARM_UP, async () => undefined, { concurrency: 100 });
    warm.start();
    await drained(context, WARM_UP);
    await warm.close();

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
