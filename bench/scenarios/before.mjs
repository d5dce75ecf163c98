import { consuming } from '../src/consuming.mjs';
import { addInBulk, addOne } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

const common = {
  group: 'before',
  variants: ['oursBefore', 'ours'],
  metrics: [
    { key: 'rate', of: 'ours', to: 'oursBefore' },
    { key: 'clientCpuUs', of: 'ours', to: 'oursBefore' },
    { key: 'redisCpuUs', of: 'ours', to: 'oursBefore' },
  ],
};

/** This version beside the one that `--before` names, on a queue that uses none of the newer features. */
export default [
  {
    ...common,
    name: 'before/add',
    title: '`add`, one at a time, awaited',
    sizes: { full: { jobs: 30_000 }, quick: { jobs: 10_000 } },
    open: producing(async (queue, count) => {
      for (let index = 0; index < count; index += 1) await addOne(queue, index);
    }, 200),
  },
  {
    ...common,
    name: 'before/bulk',
    title: '`addBulk` of 50',
    sizes: { full: { jobs: 300_000 }, quick: { jobs: 100_000 } },
    open: producing((queue, count) => addInBulk(queue, count, 50), 2_500),
  },
  {
    ...common,
    name: 'before/worker',
    title: 'worker, concurrency 100, empty handler',
    sizes: { full: { jobs: 300_000 }, quick: { jobs: 100_000 } },
    ...consuming({ concurrency: 100 }),
  },
];
