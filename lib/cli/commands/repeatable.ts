import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { whole } from '../frame/parse.js';

export function registerRepeatable(program: Command): void {
  const repeatable = program
    .command('repeatable')
    .summary('schedules: list, remove, run now, pause')
    .description('Schedules: they add a job again and again.');

  repeatable
    .command('list')
    .argument('<queue>', 'the queue')
    .option('--limit <count>', 'at most so many', whole(1))
    .summary('list the schedules of a queue')
    .description('Lists the schedules, ordered by their next run. Paused ones come last.')
    .action(lazily(async () => (await import('../actions/repeatable.js')).list));

  one(repeatable, 'remove')
    .summary('remove a schedule')
    .description('Removes a schedule. The jobs that it has added stay. Asks first.')
    .action(lazily(async () => (await import('../actions/repeatable.js')).remove));

  one(repeatable, 'run')
    .summary('add a job of a schedule now')
    .description('Adds a job of the schedule now. Its next run stays as it is.')
    .action(lazily(async () => (await import('../actions/repeatable.js')).run));

  one(repeatable, 'pause')
    .summary('pause a schedule')
    .description('Pauses a schedule: it adds no jobs until it is resumed.')
    .action(lazily(async () => (await import('../actions/repeatable.js')).pause));

  one(repeatable, 'resume')
    .summary('resume a schedule')
    .description('Resumes a schedule. The runs that it missed while it was paused are skipped.')
    .action(lazily(async () => (await import('../actions/repeatable.js')).resume));
}

function one(repeatable: Command, name: string): Command {
  return repeatable
    .command(name)
    .argument('<queue>', 'the queue')
    .argument('<id>', 'the id of the schedule: see `repeatable list`');
}
