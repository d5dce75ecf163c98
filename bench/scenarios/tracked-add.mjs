import { addInBulk } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

export default {
  name: 'tracked-add',
  title: '`addBulk` of 50, tracked jobs',
  variants: ['peer', 'oursTracked'],
  sizes: { full: { jobs: 100_000, oursTimes: 4 }, quick: { jobs: 30_000, oursTimes: 4 } },
  metrics: [
    { key: 'rate', of: 'oursTracked', to: 'peer' },
    { key: 'redisCpuUs', of: 'oursTracked', to: 'peer' },
  ],

  open: producing((queue, count) => addInBulk(queue, count, 50), 2_500),
};
