import { Option } from 'commander';
import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { whole } from '../frame/parse.js';

/** As `ListedStatus` of the engine. */
const STATUSES = ['waiting', 'limited', 'maxed', 'paused'] as const;

export function registerGroups(program: Command): void {
  program
    .command('groups')
    .argument('<queue>', 'the queue')
    .addOption(new Option('--status <status>', 'only groups that wait for this').choices(STATUSES))
    .option('--limit <count>', 'at most so many. Default: 50', whole(1))
    .option('--offset <count>', 'leave out the first so many', whole(0))
    .summary('list the groups of a queue')
    .description(
      'Lists the groups that have waiting jobs or are paused: how many jobs wait and run, and what they wait for. Paused groups without waiting jobs come last. `pause <queue> --group <id>` pauses a group.',
    )
    .action(lazily(async () => (await import('../actions/groups.js')).listGroups));
}
