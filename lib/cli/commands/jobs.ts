import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { each, groupId, list, whole } from '../frame/parse.js';
import { STATES } from '../jobs/states.js';

export function registerJobs(program: Command): void {
  const jobs = program
    .command('jobs')
    .summary('list and find jobs')
    .description('Lists the jobs of a queue, or finds them by name and data.');

  jobs
    .command('list')
    .argument('<queue>', 'the queue')
    .option('--state <states>', `one or more of ${STATES.join(', ')}. Default: all`, list)
    .option('--limit <count>', 'at most so many of each state', whole(1))
    .option('--offset <count>', 'leave out the first so many of each state', whole(0))
    .option('--asc', 'the oldest first')
    .option('--group <id>', 'the waiting jobs of this group, the one that runs next first', groupId)
    .summary('list jobs by state')
    .description('Lists jobs of one or more states, 20 of each by default, the newest first.')
    .action(lazily(async () => (await import('../actions/jobs.js')).listJobs));

  jobs
    .command('find')
    .argument('<queue>', 'the queue')
    .option('--name <name>', 'dispatch name')
    .option('--data <path=value>', 'a value in the data, such as user.id=42; repeat it for more', each)
    .option('--state <states>', `one or more of ${STATES.join(', ')}. Default: all`, list)
    .option('--limit <count>', 'at most so many. Default: 20', whole(1))
    .summary('find jobs by name and data')
    .description(
      'Finds jobs by their name and by values in their data. A value is JSON, or else a text. Looks at all jobs, in steps that do not block Redis; Ctrl-C ends it. With --json, prints one line for each job.',
    )
    .action(lazily(async () => (await import('../actions/jobs.js')).findJobs));
}
