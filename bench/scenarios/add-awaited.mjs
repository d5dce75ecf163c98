import { addOne } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

export default {
  name: 'add-awaited',
  title: '`add`, one at a time, awaited',
  sizes: { full: { jobs: 40_000 }, quick: { jobs: 10_000 } },
  metrics: [{ key: 'rate', target: 1.4 }],

  open: producing(async (queue, count) => {
    for (let index = 0; index < count; index += 1) await addOne(queue, index);
  }, 500),
};
