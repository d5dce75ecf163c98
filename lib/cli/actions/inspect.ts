import type { Context } from '../frame/context.js';
import { isWrongType } from '../frame/wrong-keys.js';
import { limitsText } from '../inspect/group-limits.js';
import { queueJson, readQueue } from '../inspect/read-queue.js';
import type { QueueFacts } from '../inspect/read-queue.js';
import type { Output } from '../output/output.js';
import { printPairs, printTable } from '../output/table.js';
import { cell, grouped, moment, plural, span } from '../output/values.js';
import { printWorkers, workerJson } from './workers.js';

/** How many queues are read at the same time. */
const AT_ONCE = 8;

export async function inspect(context: Context, [name]: readonly [string?]): Promise<void> {
  if (name === undefined) return inspectAll(context);
  const { out } = context;
  const facts = await readQueue(context, await context.queue(name));
  out.document({ ...queueJson(facts), workers: facts.workers.map(workerJson) });
  if (!out.json) printQueue(context, facts);
}

async function inspectAll(context: Context): Promise<void> {
  const { out } = context;
  const names = await context.queueNames();
  const all: QueueFacts[] = [];
  const unreadable: string[] = [];
  let problem: unknown;
  for (let at = 0; at < names.length; at += AT_ONCE) {
    context.signal.throwIfAborted();
    const some = names.slice(at, at + AT_ONCE);
    const read = some.map(async (each) => {
      // A queue may have been deleted since its name was found.
      const queue = await context.queue(each, { create: true });
      return readQueue(context, queue).catch((error: unknown) => {
        if (!isWrongType(error)) throw error;
        unreadable.push(each);
        problem ??= error;
      });
    });
    all.push(...(await Promise.all(read)).filter((facts) => facts !== undefined));
  }
  out.document({ queues: all.map(queueJson), unreadable });
  if (names.length === 0) out.text('There are no queues.');
  if (all.length > 0) printQueues(out, all);
  // The error of one of them says what to do.
  if (unreadable.length > 0) throw problem;
}

function printQueues(out: Output, all: readonly QueueFacts[]): void {
  const { cyan, dim, green, red, yellow } = out.colors;
  const number = (value: number): string => grouped(value);
  const unlessZero =
    (color: (text: string) => string) =>
    (text: string): string =>
      text === '0' ? dim(text) : color(text);
  printTable(
    out,
    [
      { title: 'QUEUE', value: ({ name }) => cell(name), least: 8 },
      { title: 'WAITING', value: ({ waiting }) => number(waiting), right: true },
      {
        title: 'ACTIVE',
        value: ({ active }) => number(active),
        right: true,
        color: unlessZero(cyan),
        keep: 7,
      },
      {
        title: 'DELAYED',
        value: ({ delayed }) => number(delayed),
        right: true,
        color: unlessZero(yellow),
        keep: 6,
      },
      {
        title: 'FAILED',
        value: ({ failed }) => number(failed),
        right: true,
        color: unlessZero(red),
        keep: 8,
      },
      {
        title: 'KEPT',
        value: ({ completed }) => number(completed),
        right: true,
        color: unlessZero(dim),
        keep: 1,
      },
      {
        title: 'DONE/MIN',
        value: ({ rates }) => (rates ? number(rates.completed) : '–'),
        right: true,
        keep: 5,
      },
      {
        title: 'FAIL/MIN',
        value: ({ rates }) => (rates ? number(rates.failed) : '–'),
        right: true,
        color: unlessZero(red),
        keep: 3,
      },
      {
        title: 'OLDEST',
        value: ({ waiting, oldestWaitingMs }) => (waiting === 0 ? '–' : span(oldestWaitingMs)),
        right: true,
        keep: 4,
      },
      { title: 'WORKERS', value: ({ workers }) => number(workers.length), right: true, keep: 3 },
      { title: 'SCHEDULES', value: ({ schedules }) => number(schedules), right: true, keep: 2 },
      {
        title: 'STATE',
        value: stateOf,
        color: (text) => (text === 'paused' ? yellow(text) : text === 'no worker' ? red(text) : green(text)),
        keep: 6,
      },
    ],
    all,
  );
}

function stateOf({ isPaused, workers, waiting, active }: QueueFacts): string {
  if (isPaused) return 'paused';
  return workers.length === 0 && waiting + active > 0 ? 'no worker' : workers.length === 0 ? 'idle' : 'up';
}

/** A line, if the queue has limits. */
function limitsOf({ limits: { concurrency, rate }, groupLimits }: QueueFacts): [string, string][] {
  const limits: string[] = [];
  if (concurrency !== null) limits.push(`${plural(concurrency, 'job')} at once`);
  if (rate) limits.push(`${plural(rate.max, 'start')} in ${span(rate.duration)}`);
  const ofGroups = limitsText(groupLimits);
  const parts = [limits.join(', '), ofGroups && `each group: ${ofGroups}`].filter((part) => part !== '');
  return parts.length === 0 ? [] : [['limits', parts.join('; ')]];
}

function waitingOf({ waiting, oldestWaitingMs, prioritized, grouped: inGroups }: QueueFacts): string {
  const parts = [grouped(waiting)];
  if (waiting > 0) parts.push(`the oldest for ${span(oldestWaitingMs)}`);
  if (prioritized > 0) parts.push(`${grouped(prioritized)} with a priority`);
  if (inGroups > 0) parts.push(`${grouped(inGroups)} in groups`);
  return parts.join(', ');
}

function printQueue(context: Context, facts: QueueFacts): void {
  const { out } = context;
  const { delayed, due, overdueMs, rates, workers, schedules, nextSchedule } = facts;
  const state = stateOf(facts);
  const next =
    nextSchedule && !nextSchedule.paused
      ? `, next: ${cell(nextSchedule.key)} ${moment(nextSchedule.nextFireMs)}`
      : '';
  printPairs(out, [
    ['queue', out.colors.bold(cell(facts.name))],
    ['state', state === 'up' ? out.colors.green(state) : out.colors.yellow(state)],
    ['waiting', waitingOf(facts)],
    ['active', grouped(facts.active)],
    ['delayed', `${grouped(delayed)}${due > 0 ? `, ${grouped(due)} due, late by ${span(overdueMs)}` : ''}`],
    ['failed', facts.failed > 0 ? out.colors.red(grouped(facts.failed)) : '0'],
    ['completed', `${grouped(facts.completed)} kept`],
    [
      'per minute',
      rates === undefined
        ? 'no events'
        : `${grouped(rates.queued)} queued, ${grouped(rates.completed)} completed, ${grouped(rates.failed)} failed attempts (measured over ${String(rates.seconds)}s)`,
    ],
    ...limitsOf(facts),
    ['schedules', `${grouped(schedules)}${next}`],
    ['workers', plural(workers.length, 'worker')],
  ]);
  if (workers.length > 0) {
    out.text('');
    printWorkers(context, workers, false);
  }
}
