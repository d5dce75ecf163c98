import { printable } from '../../engine/base/printable.js';
import type { Job, Queue } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { notFound, refused } from '../frame/errors.js';
import { confirm } from '../frame/prompt.js';
import { jobJson, printJob } from '../jobs/print.js';
import { cell, grouped, plural } from '../output/values.js';

type Args = readonly [queue: string, id: string];

export async function show(context: Context, [name, id]: Args): Promise<void> {
  const { queue, job } = await findJob(context, name, id);
  const found = { job, state: await job.getState() };
  const { count } = await queue.getJobLogs(id, 0, 0);
  context.out.document({
    queue: name,
    ...jobJson(found),
    options: job.opts,
    attempts: job.attempts ?? null,
    stack: job.stacktrace.at(-1) ?? null,
    logs: count,
  });
  printJob(context.out, found);
  if (count > 0) context.out.text(`\n${plural(count, 'line')} of log: chasqui job logs`);
}

export async function cancel(context: Context, [name, id]: Args): Promise<void> {
  const { queue, job } = await findJob(context, name, id);
  await confirm(context.out, context.globals.yes, context.signal, {
    question: `Cancel job ${cell(id)} (${cell(job.name)}, ${await job.getState()}) of "${cell(name)}"?`,
  });
  const outcome = await queue.cancel(id);
  context.out.document({ queue: name, id, outcome });
  if (outcome === 'gone') throw refused(`Job ${cell(id)} has ended already. Nothing was cancelled.`);
  context.out.text(
    outcome === 'removed'
      ? `Removed job ${cell(id)}: it had not started.`
      : `Job ${cell(id)} is active. Its worker was told to stop it.`,
  );
}

export async function retry(
  context: Context,
  [name, id]: Args,
  { completed }: { readonly completed?: boolean },
): Promise<void> {
  const { job } = await findJob(context, name, id);
  await job.retry(completed ? 'completed' : 'failed');
  changed(context, name, id, 'retried', `Job ${cell(id)} runs again.`);
}

export async function promote(context: Context, [name, id]: Args): Promise<void> {
  const { job } = await findJob(context, name, id);
  await job.promote();
  changed(context, name, id, 'promoted', `Job ${cell(id)} waits for a worker.`);
}

export async function remove(context: Context, [name, id]: Args): Promise<void> {
  const { job } = await findJob(context, name, id);
  await confirm(context.out, context.globals.yes, context.signal, {
    question: `Remove job ${cell(id)} (${cell(job.name)}, ${await job.getState()}) of "${cell(name)}"?`,
  });
  await job.remove();
  changed(context, name, id, 'removed', `Removed job ${cell(id)}.`);
}

export async function logs(
  context: Context,
  [name, id]: Args,
  { limit }: { readonly limit?: number },
): Promise<void> {
  const { out } = context;
  const { queue } = await findJob(context, name, id);
  const log = await queue.getJobLogs(id, limit === undefined ? 0 : -limit, -1);
  out.document({ queue: name, id, count: log.count, logs: log.logs });
  for (const line of log.logs) out.text(printable(line));
  if (out.isTerminal && log.logs.length < log.count) {
    out.text(`The last ${grouped(log.logs.length)} of ${plural(log.count, 'line')}.`);
  }
  if (log.count === 0) out.note('The job has no log. Logs are kept where the queue has trackJobs.');
}

function changed({ out }: Context, queue: string, id: string, outcome: string, text: string): void {
  out.document({ queue, id, outcome });
  out.text(text);
}

/** @throws CliError (not found) */
async function findJob(context: Context, name: string, id: string): Promise<{ queue: Queue; job: Job }> {
  const queue = await context.queue(name);
  const job = await queue.getJob(id);
  if (job) return { queue, job };
  throw notFound(
    'CMQ-106',
    `Queue "${cell(name)}" has no job ${cell(id)}.`,
    'It has ended and is not kept, was removed, or never existed.',
  );
}
