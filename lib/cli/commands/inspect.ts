import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';

export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .summary('show all queues, or one in detail')
    .description(
      'Shows all queues, or one queue in detail: how many jobs wait, run, are delayed and failed, how many ended in the last minute, the oldest waiting job, workers, schedules, and whether the queue is paused.',
    )
    .argument('[queue]', 'the queue. Default: all queues')
    .action(lazily(async () => (await import('../actions/inspect.js')).inspect));
}
