import { filling } from '../src/filling.mjs';

export default {
  name: 'memory-waiting',
  title: 'Redis memory per waiting job',
  metrics: [{ key: 'bytesPerJob', target: 0.5 }],
  ...filling(),
};
