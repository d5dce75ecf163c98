import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { each, list, whole } from '../frame/parse.js';

export function registerEvents(program: Command): void {
  program
    .command('events')
    .summary('print the events of a queue as they occur')
    .description(
      'Prints the events of a queue as they occur, until Ctrl-C: from all processes, one per line. With --since it first prints those that Redis still has.',
    )
    .argument('<queue>', 'the queue')
    .option('-e, --event <names>', 'only these events: waiting, active, completed, failed, …', list)
    .option('-j, --job <id>', 'only of this job; repeat it for more', each)
    .option('--name <name>', 'only of jobs with this name; repeat it for more', each)
    .option(
      '--since <when>',
      'begin so long ago (10m), at a time (ISO 8601 or unix ms), or after the id of an event',
    )
    .option('--follow', 'wait for new events', true)
    .option('--no-follow', 'print what there is, and end')
    .option('-n, --limit <n>', 'end after so many events', whole(1))
    .action(lazily(async () => (await import('../actions/events.js')).events));
}
