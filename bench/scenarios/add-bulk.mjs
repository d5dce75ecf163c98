import { addInBulk } from '../src/jobs.mjs';
import { producing } from '../src/producing.mjs';

export default {
  name: 'add-bulk',
  title: '`addBulk` of 50',
  sizes: { full: { jobs: 200_000, warmUp: 30_000 }, quick: { jobs: 60_000, warmUp: 15_000 } },
  metrics: [{ key: 'rate', target: 4, quietTarget: 6 }, { key: 'clientCpuUs' }],
  native: ['xadd'],

  open: producing((queue, count) => addInBulk(queue, count, 50)),
};
