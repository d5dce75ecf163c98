import { addOne } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

const TICK = 1_000;

export default {
  name: 'add-concurrent',
  title: '`add` × 1,000 in one tick',
  sizes: { full: { jobs: 100_000, warmUp: 20_000 }, quick: { jobs: 30_000, warmUp: 10_000 } },
  metrics: [{ key: 'rate', target: 6 }],

  open: producing(async (queue, count) => {
    for (let from = 0; from < count; from += TICK) {
      const size = Math.min(TICK, count - from);
      await Promise.all(Array.from({ length: size }, (_, index) => addOne(queue, from + index)));
    }
  }),
};
