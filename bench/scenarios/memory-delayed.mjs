import { filling } from '../src/filling.mjs';

const AN_HOUR = 3_600_000;

export default {
  name: 'memory-delayed',
  title: 'Redis memory per delayed job',
  metrics: [{ key: 'bytesPerJob', target: 0.55 }],
  ...filling({ delay: AN_HOUR }),
};
