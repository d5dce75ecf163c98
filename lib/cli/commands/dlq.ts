import type { Command } from 'commander';
import { Option } from 'commander';
import { GROUPS, REASONS } from '../dlq/selection.js';
import { lazily } from '../frame/lazy.js';
import { each, time, whole } from '../frame/parse.js';

export function registerDlq(program: Command): void {
  const dlq = program
    .command('dlq')
    .summary('dead letters: look, replay, delete, export')
    .description('Dead letters: the jobs that failed for good. The oldest come first.');

  selection(dlq.command('peek'))
    .summary('show dead letters')
    .description('Shows dead letters with their error and their decoded data. Changes nothing.')
    .option('--newest', 'the newest first')
    .option('--stack', 'show the stack of the error')
    .action(lazily(async () => (await import('../actions/dlq-look.js')).peek));

  filters(dlq.command('histogram').argument('<queue>', 'the queue'))
    .summary('count dead letters by reason, name and time')
    .description('Counts the dead letters by reason, by name, and by the hour or day in which they failed.')
    .addOption(new Option('--by <what>', 'count only by this. Default: all').choices(GROUPS))
    .action(lazily(async () => (await import('../actions/dlq-look.js')).histogram));

  change(dlq.command('replay'))
    .summary('run dead letters again')
    .description(
      'Moves dead letters back to the queue, with all attempts available again. Prints how many were moved. Needs --limit, --all or a filter.',
    )
    .action(lazily(async () => (await import('../actions/dlq-change.js')).replay));

  change(dlq.command('drop'))
    .summary('delete dead letters')
    .description('Deletes dead letters for good. Asks first. Needs --limit, --all or a filter.')
    .action(lazily(async () => (await import('../actions/dlq-change.js')).drop));

  selection(dlq.command('export'))
    .summary('write dead letters to a file')
    .description(
      'Writes dead letters as NDJSON, one a line, to stdout or to a file: all bytes, and the decoded data to read. `dlq import` reads them back. Does not remove them.',
    )
    .option('-o, --output <file>', 'the file. It must not exist yet')
    .action(lazily(async () => (await import('../actions/dlq-archive.js')).exportLetters));

  dlq
    .command('import')
    .argument('<queue>', 'the queue')
    .argument('<file>', 'what `dlq export` has written; - = stdin')
    .summary('read dead letters from a file')
    .description(
      'Adds the dead letters that `dlq export` has written. Those that are there already are skipped, so that an import can be repeated.',
    )
    .option('--create', 'the queue need not exist')
    .option('--dry-run', 'only check the file and count')
    .action(lazily(async () => (await import('../actions/dlq-archive.js')).importLetters));
}

function filters(command: Command): Command {
  return command
    .addOption(new Option('--reason <reason>', 'why it is a dead letter').choices(REASONS))
    .option('--name <name>', 'dispatch name')
    .option('--since <time>', 'failed at this time or later: ISO 8601, or 15m = 15 minutes ago', time)
    .option('--until <time>', 'failed before this time', time)
    .option('--text <text>', 'the error or the data contains this text');
}

function selection(command: Command): Command {
  return filters(command.argument('<queue>', 'the queue'))
    .option('--id <id>', 'id of a dead letter or of its job; repeat it for more', each)
    .option('--limit <count>', 'at most so many', whole(1));
}

function change(command: Command): Command {
  return selection(command)
    .option('--all', 'all dead letters')
    .option('--dry-run', 'only show what would be done');
}
