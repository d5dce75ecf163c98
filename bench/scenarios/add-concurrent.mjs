import { addOne } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

const TICK = 1_000;

export default {
  name: 'add-concurrent',
  title: '`add` × 1,000 in one tick',
  sizes: { full: { jobs: 150_000, oursTimes: 6 }, quick: { jobs: 40_000, oursTimes: 6 } },
  metrics: [{ key: 'rate', target: 6 }],

  open: producing(async (queue, count) => {
    for (let from = 0; from < count; from += TICK) {
      const size = Math.min(TICK, count - from);
      await Promise.all(Array.from({ length: size }, (_, index) => addOne(queue, from + index)));
    }
  }, 5 * TICK),
};
