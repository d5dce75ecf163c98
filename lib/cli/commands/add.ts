import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { duration, groupId, whole } from '../frame/parse.js';

export function registerAdd(program: Command): void {
  program
    .command('add')
    .summary('add a job')
    .description('Adds one job, and prints its id.')
    .argument('<queue>', 'the queue')
    .argument('<name>', 'dispatch name')
    .argument('[data]', 'data as JSON; @file = a file with JSON; - = stdin. Default: null')
    .option('--job-id <id>', 'an id of your own: one live job per id')
    .option('--dedup-id <id>', 'a deduplication id: nothing is added while another job has it')
    .option(
      '--dedup-ttl <duration>',
      'how long the deduplication id is taken; default: until the end of the job',
      duration,
    )
    .option('--priority <number>', 'from 1, which runs first, to 2,097,152; 0 = none', whole(0))
    .option('--lifo', 'run it before all jobs that wait')
    .option('--group <id>', 'the group of the job; --priority counts inside the group then', groupId)
    .option('--delay <duration>', 'how long to wait before the job may run', duration)
    .option('--attempts <count>', 'total attempts', whole(1))
    .option('--backoff <duration>', 'fixed delay between attempts', duration)
    .option('--run-timeout <duration>', 'longest time that one attempt may run', duration)
    .option('--ttl <duration>', 'the job expires if it has not started after this time', duration)
    .option('--create', 'the queue need not exist')
    .action(lazily(async () => (await import('../actions/add.js')).add));
}
