import { printable } from '../../engine/base/printable.js';
import type { Context } from '../frame/context.js';
import { exitCodeOf } from '../frame/interrupt.js';
import { cell, grouped, span } from '../output/values.js';
import { COUNTED } from './monitor.js';
import type { Monitor, QueueFailure, QueueView } from './monitor.js';
import { perSecond } from './text.js';

/** Failures that are printed after one round. */
const MOST_FAILURES = 100;

/** Prints a line per queue and round, and one per failure; or NDJSON. For pipes and logs. */
export async function watchPlain(
  context: Context,
  monitor: Monitor,
  rounds: number,
): Promise<number | undefined> {
  let shownUntil = Date.now() - 1_000;
  let wasDown = false;
  const print = (): void => {
    const at = Date.now();
    const { outage } = monitor;
    if (outage) {
      if (!wasDown)
        context.out.note(`chasqui: Redis does not answer: ${printable(outage.reason)}. Trying again.`);
      wasDown = true;
      return;
    }
    if (wasDown) context.out.note('chasqui: Redis answers again.');
    wasDown = false;
    const failures = monitor.failures(MOST_FAILURES).filter((one) => one.at > shownUntil);
    shownUntil = Math.max(shownUntil, ...failures.map((one) => one.at));
    context.out.record({
      at,
      queues: monitor.queues.map(queueRecord),
      failures: failures.map(failureRecord),
    });
    for (const failure of failures.reverse()) context.out.text(failureLine(failure));
    for (const queue of monitor.queues) context.out.text(queueLine(queue, at));
  };
  monitor.on('change', print);
  print();
  await monitor.run(context.signal, rounds);
  return exitCodeOf(context.signal);
}

function queueLine({ name, backlog, problem, tail: { rates } }: QueueView, at: number): string {
  const head = `${timeOf(at)} ${printable(name)}`;
  if (problem !== undefined) return `${head} cannot be read: ${printable(problem)}`;
  if (!backlog) return `${head} not read yet`;
  const rate = COUNTED.map((count) => `${count} ${perSecond(rates.perSecond(count))}/s`).join(' ');
  const counts = [
    `waiting ${grouped(backlog.waiting)}`,
    `active ${grouped(backlog.active)}`,
    `delayed ${grouped(backlog.delayed)}`,
    `dead ${grouped(backlog.deadLetters)}`,
    `oldest ${backlog.waiting > 0 ? span(backlog.oldestWaitingMs) : '–'}`,
  ];
  return `${head}${backlog.paused ? ' paused' : ''} ${counts.join(' ')} ${rate}${rates.isPartial() ? ' at least' : ''}`;
}

function failureLine({ at, queue, name, jobId, attempt, outcome, reason }: QueueFailure): string {
  const what = `job ${cell(jobId)} ${cell(name)} attempt ${String(attempt)}`;
  return `${timeOf(at)} ${printable(queue)} failed: ${what}, ${outcome ?? 'failed'}: ${printable(reason)}`;
}

function queueRecord({ name, backlog, problem, tail: { rates } }: QueueView): object {
  return {
    queue: name,
    ...backlog,
    pausedSince: backlog?.pausedSince ?? null,
    perSecond: Object.fromEntries(
      COUNTED.map((count) => [count, Math.round(rates.perSecond(count) * 100) / 100]),
    ),
    partial: rates.isPartial(),
    problem: problem ?? null,
  };
}

function failureRecord({ outcome, ...failure }: QueueFailure): object {
  return { ...failure, outcome: outcome ?? null };
}

function timeOf(at: number): string {
  return new Date(at).toISOString();
}
