import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { whole } from '../frame/parse.js';

export function registerBench(program: Command): void {
  program
    .command('bench')
    .summary('measure how fast this Redis is with queues')
    .description(
      'Measures throughput and latency from this host, on a queue of its own that it removes afterwards. Asks first if other queues have jobs.',
    )
    .option('--jobs <n>', 'how many jobs', whole(1), 20_000)
    .option('--concurrency <n>', 'handlers at once', whole(1), 100)
    .option('--payload <bytes>', 'size of the data of a job', whole(0), 100)
    .action(lazily(async () => (await import('../actions/bench.js')).bench));
}
