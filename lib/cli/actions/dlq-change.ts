import type { OperationOptions, Queue } from '../../engine/index.js';
import type { ChangeOptions } from '../dlq/selection.js';
import { isSelective, requireIds, selectedLetters, selectionOf } from '../dlq/dead-letters.js';
import { letterJson } from '../dlq/print.js';
import { orderInBytes, orderPairs } from '../jobs/order.js';
import type { Context } from '../frame/context.js';
import { usageError } from '../frame/errors.js';
import { confirm } from '../frame/prompt.js';
import { longOperation } from '../output/long-operation.js';
import { cell, grouped, plural } from '../output/values.js';

/** How many dead letters `--dry-run` lists. */
const LISTED = 20;

export async function replay(
  context: Context,
  [name]: readonly [string],
  options: ChangeOptions,
): Promise<void> {
  checkSelected('replay', options);
  const queue = await context.queue(name);
  await requireIds(context, queue, options);
  if (options.dryRun) return dryRun(context, queue, options, 'would be replayed');
  if (options.all && options.limit === undefined) {
    const deadLetters = await queue.getFailedCount();
    const question = `Replay all ${grouped(deadLetters)} dead letters of "${cell(name)}"?`;
    await confirm(context.out, context.globals.yes, context.signal, { question, hasDryRun: true });
  }
  const { changed, skipped } = await change(context, queue, options, 'Replaying', (operation) =>
    queue.replayDlq({ ...selectionOf(options), ...operation }),
  );
  context.out.document({ queue: name, replayed: changed, skipped });
  context.out.text(`Replayed ${letters(changed)}.`);
  if (skipped > 0) {
    context.out.text(`${letters(skipped)} stayed: the job cannot be decoded, or another job has its id.`);
  }
}

export async function drop(
  context: Context,
  [name]: readonly [string],
  options: ChangeOptions,
): Promise<void> {
  checkSelected('drop', options);
  const queue = await context.queue(name);
  await requireIds(context, queue, options);
  if (options.dryRun) return dryRun(context, queue, options, 'would be deleted');
  await confirm(context.out, context.globals.yes, context.signal, {
    question: `Delete ${await whichLetters(queue, options)} for good?`,
    hasDryRun: true,
  });
  const selection = selectionOf(options);
  const which = isSelective(options) ? selection : { all: true };
  const { changed } = await change(context, queue, options, 'Deleting', (operation) =>
    queue.dropDlq({ ...which, ...operation }),
  );
  context.out.document({ queue: name, dropped: changed });
  context.out.text(`Deleted ${letters(changed)}.`);
}

function checkSelected(command: string, options: ChangeOptions): void {
  const { all, limit } = options;
  if (all && isSelective(options)) throw usageError('--all and a filter exclude each other.');
  if (all || limit !== undefined || isSelective(options)) return;
  throw usageError(
    `dlq ${command} needs to know which dead letters.`,
    'Pass --limit, --id, --reason, --name, --since, --until or --text; or --all.',
  );
}

async function whichLetters(queue: Queue, options: ChangeOptions): Promise<string> {
  const deadLetters = await queue.getFailedCount();
  const of = `of "${cell(queue.name)}"`;
  const filters = (['id', 'reason', 'name', 'text'] as const)
    .filter((key) => options[key] !== undefined)
    .map((key) => `${key} ${cell(String(options[key]))}`);
  if (options.since !== undefined) filters.push(`failed since ${new Date(options.since).toISOString()}`);
  if (options.until !== undefined) filters.push(`failed until ${new Date(options.until).toISOString()}`);
  const which = filters.length > 0 ? ` with ${filters.join(', ')}` : '';
  if (options.limit !== undefined) {
    return `the oldest ${grouped(options.limit)} dead letters ${of}${which} (there are ${grouped(deadLetters)} in all)`;
  }
  return which === ''
    ? `all ${grouped(deadLetters)} dead letters ${of}`
    : `the dead letters ${of}${which} (there are ${grouped(deadLetters)} in all)`;
}

/** Carries out the operation. */
async function change(
  context: Context,
  queue: Queue,
  options: ChangeOptions,
  what: string,
  act: (operation: OperationOptions & { limit?: number }) => Promise<number>,
): Promise<{ changed: number; skipped: number }> {
  const { limit } = options;
  const total = Math.min(await queue.getFailedCount(), limit ?? Infinity);
  const { result, skipped } = await longOperation(context, what, total, letters, (operation) =>
    act({ ...(limit !== undefined && { limit }), ...operation }),
  );
  return { changed: result, skipped };
}

async function dryRun(context: Context, queue: Queue, options: ChangeOptions, would: string): Promise<void> {
  const { out } = context;
  const listed = [];
  let found = 0;
  for await (const page of selectedLetters(context, queue, options)) {
    found += page.length;
    listed.push(...page.slice(0, LISTED - listed.length).map(({ entry }) => entry));
  }
  out.document({ queue: queue.name, dryRun: true, matching: found, entries: listed.map(letterJson) });
  for (const { dlqId, jobId, name, reason, payload } of listed) {
    const order = orderPairs(orderInBytes(payload)).map((pair) => `  ${pair.join(' ')}`);
    out.text(`${dlqId}  ${cell(jobId)}  ${cell(name)}  ${cell(reason)}${order.join('')}`);
  }
  if (found > listed.length) out.text(`and ${grouped(found - listed.length)} more`);
  out.text(`${letters(found)} ${would}. Nothing was changed.`);
}

function letters(count: number): string {
  return plural(count, 'dead letter');
}
