import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { duration, whole } from '../frame/parse.js';

export function registerWatch(program: Command): void {
  program
    .command('watch')
    .summary('show queues live, with keys to pause, look at dead letters and replay them')
    .description(
      'Shows queues live: how many jobs wait, run, are delayed and failed, rates, workers, and failures as they occur. Keys pause a queue, show dead letters and replay them. In a pipe it prints lines instead, and with --json one JSON document per line.',
    )
    .argument('[queues...]', 'the queues. Default: all, also those that appear later')
    .option('-i, --interval <duration>', 'time between two looks', duration, 1_000)
    .option('-n, --count <n>', 'end after so many looks', whole(1))
    .action(lazily(async () => (await import('../actions/watch.js')).watch));
}
