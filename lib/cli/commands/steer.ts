import { Argument, InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { duration, groupId, whole } from '../frame/parse.js';
import { CLEANED, stateHint, stateOf } from '../jobs/states.js';

export function registerSteer(program: Command): void {
  program
    .command('pause')
    .argument('<queue>', 'the queue')
    .option('--group <id>', 'only this group of jobs', groupId)
    .summary('pause a queue, or a group of jobs')
    .description(
      'Pauses a queue: no worker starts a job until it is resumed. Running jobs finish, and adds continue. The pause survives restarts. With --group, only the jobs of one group stop.',
    )
    .action(lazily(async () => (await import('../actions/steer.js')).pause));

  program
    .command('resume')
    .argument('<queue>', 'the queue')
    .option('--group <id>', 'only this group of jobs', groupId)
    .summary('resume a paused queue, or a group of jobs')
    .description('Ends the pause of a queue, or of one group. A group of a paused queue waits for the queue.')
    .action(lazily(async () => (await import('../actions/steer.js')).resume));

  program
    .command('workers')
    .argument('[queue]', 'the queue. Default: all queues')
    .summary('list the workers')
    .description(
      'Lists the workers of all processes: where they run, what they do, and when they were last seen.',
    )
    .action(lazily(async () => (await import('../actions/workers.js')).workers));
}

export function registerCleaning(program: Command): void {
  program
    .command('drain')
    .argument('<queue>', 'the queue')
    .option('--group <id>', 'only this group of jobs', groupId)
    .option('--delayed', 'the delayed jobs too')
    .option('--dry-run', 'only show what would be done')
    .summary('remove all jobs that wait, of a queue or of a group')
    .description(
      'Removes all jobs that wait, also those with a priority or in a group; with --group, those of one group. Active jobs, dead letters and schedules stay. Asks first.',
    )
    .action(lazily(async () => (await import('../actions/cleaning.js')).drain));

  program
    .command('clean')
    .argument('<queue>', 'the queue')
    .addArgument(new Argument('<state>', 'the state of the jobs').choices(CLEANED).argParser(cleanedState))
    .option('--older <duration>', 'only jobs that are older', duration)
    .option('--limit <count>', 'at most so many', whole(1))
    .option('--all', 'all jobs of the state')
    .option('--dry-run', 'only show what would be done')
    .summary('remove old jobs of one state')
    .description(
      'Removes jobs of one state. The jobs of groups are waiting; those with a priority and without a group are prioritized. Needs --older, --limit or --all. Asks first.',
    )
    .action(lazily(async () => (await import('../actions/cleaning.js')).clean));

  program
    .command('obliterate')
    .argument('<queue>', 'the queue')
    .option('--force', 'also if jobs are active: they end as lost')
    .option('--dry-run', 'only show what would be done')
    .summary('delete a queue with all its jobs')
    .description(
      'Deletes a queue: jobs, dead letters, schedules, results and events. Asks for the name of the queue.',
    )
    .action(lazily(async () => (await import('../actions/cleaning.js')).obliterate));
}

function cleanedState(text: string): (typeof CLEANED)[number] {
  const state = stateOf(text, CLEANED);
  if (state === undefined) throw new InvalidArgumentError(stateHint(text, CLEANED));
  return state;
}
