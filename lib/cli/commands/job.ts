import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';
import { whole } from '../frame/parse.js';

export function registerJob(program: Command): void {
  const job = program
    .command('job')
    .summary('one job: show, change, remove')
    .description('One job, by its id.');

  one(job, 'show')
    .summary('show a job')
    .description('Shows a job: its state, times, attempts with their errors, data and result.')
    .action(lazily(async () => (await import('../actions/job.js')).show));

  one(job, 'cancel')
    .summary('cancel a job')
    .description(
      'Cancels a job. If it has not started, it never runs. If it runs, the signal of its handler is aborted, and it is not retried. Asks first.',
    )
    .action(lazily(async () => (await import('../actions/job.js')).cancel));

  one(job, 'retry')
    .summary('run a failed job again')
    .description('Moves a failed job back to the queue, with all attempts available again.')
    .option('--completed', 'run a completed job again, where completed jobs are kept')
    .action(lazily(async () => (await import('../actions/job.js')).retry));

  one(job, 'promote')
    .summary('run a delayed job now')
    .description('Moves a delayed job to the queue now.')
    .action(lazily(async () => (await import('../actions/job.js')).promote));

  one(job, 'logs')
    .summary('show the log of a job')
    .description('Shows what the handler has logged with job.log(), where jobs are tracked.')
    .option('--limit <count>', 'only the last so many lines', whole(1))
    .action(lazily(async () => (await import('../actions/job.js')).logs));

  one(job, 'remove')
    .summary('remove a job that does not run')
    .description(
      'Removes a job that waits, is delayed, has failed, or is kept after it completed. Asks first.',
    )
    .action(lazily(async () => (await import('../actions/job.js')).remove));
}

function one(job: Command, name: string): Command {
  return job.command(name).argument('<queue>', 'the queue').argument('<id>', 'the id of the job');
}
