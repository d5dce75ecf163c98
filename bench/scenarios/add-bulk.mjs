import { addInBulk } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

export default {
  name: 'add-bulk',
  title: '`addBulk` of 50',
  sizes: { full: { jobs: 100_000, oursTimes: 6 }, quick: { jobs: 30_000, oursTimes: 6 } },
  metrics: [{ key: 'rate', target: 4, quietTarget: 6 }, { key: 'clientCpuUs' }],
  native: ['xadd'],

  open: producing((queue, count) => addInBulk(queue, count, 50), 2_500),
};
