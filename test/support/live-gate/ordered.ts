import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Telemetry } from '../../../lib/engine/base/telemetry.js';
import type { Job, Queue, Worker } from '../../../lib/engine/index.js';
import { waitUntil } from '../../../lib/testing/server/wait-until.js';
import { GateModel } from '../gate/model.js';
import { KINDS, RANKS, names, optionsOf, pick } from '../gate/steps.js';
import type { Kind } from '../gate/steps.js';
import { GROUPS } from './steps.js';

/** Jobs that all wait before the one worker starts, which runs one after the other. */
export interface Line {
  readonly jobs: readonly { readonly kind: Kind; readonly group: string; readonly ends: boolean }[];
  /** What happens to them then: a new priority; or they are removed. */
  readonly changes: readonly { readonly nth: number; readonly to: Kind | 'removed' }[];
  /** After so many starts, the queue pauses for a moment, or another worker takes over. */
  readonly interrupts: readonly { readonly after: number; readonly by: 'pause' | 'worker' }[];
}

const kind = fc.constantFrom(...(Object.keys(KINDS) as Kind[]));

export const line: fc.Arbitrary<Line> = fc.record({
  jobs: fc.array(fc.record({ kind, group: fc.constantFrom('', '', '', ...GROUPS), ends: fc.boolean() }), {
    minLength: 2,
    maxLength: 40,
  }),
  changes: fc.array(fc.record({ nth: fc.nat(99), to: fc.oneof(kind, fc.constant('removed' as const)) }), {
    maxLength: 6,
  }),
  interrupts: fc.array(
    fc.record({
      after: fc.integer({ min: 1, max: 30 }),
      by: fc.constantFrom('pause' as const, 'worker' as const),
    }),
    { maxLength: 3 },
  ),
});

/** Adds and changes the jobs, in Redis and in the model. */
async function arrange(queue: Queue, { jobs, changes }: Line): Promise<GateModel> {
  const model = new GateModel(false);
  for (const id of GROUPS) model.group(id);
  const handles: Job[] = [];
  for (const [data, { kind: given, group }] of jobs.entries()) {
    // A job of a group has no lifo.
    const of = group !== '' && given === 'lifo' ? 'plain' : given;
    handles.push(await queue.add(String(data), data, { ...optionsOf(of, group), attempts: 1 }));
    model.add({ data, group, rank: RANKS[of], state: 'waiting' });
  }
  for (const { nth, to } of changes) {
    const job = pick(model.jobs, nth);
    const handle = job && handles[job.data];
    if (!handle) continue;
    if (to === 'removed') {
      await handle.remove();
      model.end(job);
    } else {
      await handle.changePriority(KINDS[to]);
      if (job.rank === RANKS[to]) continue;
      job.rank = RANKS[to];
      model.wait(job);
    }
  }
  return model;
}

/**
 * Runs the line. `start` makes a worker of concurrency 1 with this telemetry, and with a processor that calls `begin` with the number
 * of each job.
 */
export async function runInLine(
  client: Redis,
  queue: Queue,
  plan: Line,
  start: (begin: (job: number) => void, telemetry: Telemetry) => Worker,
): Promise<void> {
  const model = await arrange(queue, plan);
  // All workers know it: else lifo waits for two seconds.
  const { meta } = queue.keys;
  if (await client.hexists(meta, 'gated')) await client.hset(meta, 'gated', 1);
  const starts: number[] = [];
  const count = model.jobs.length;
  const until = (most: number): Promise<void> =>
    waitUntil(`${most} starts`, 10_000, async () =>
      Promise.resolve(starts.length >= most ? undefined : starts.join()),
    );
  let givenBack = 0;
  const telemetry: Telemetry = {
    worker: () => ({ gone: (_, end) => void (givenBack += end === 'released' ? 1 : 0) }),
  };
  const begin = (): Worker => start((job) => starts.push(job), telemetry);
  let worker = begin();
  // What is fetched ahead, of a queue that is not gated, would go to the end.
  const isSteady = model.jobs.every(({ group, rank }) => group !== '' || rank !== 1);
  const interrupts = isSteady ? plan.interrupts.toSorted((a, b) => a.after - b.after) : [];
  for (const { after, by } of interrupts) {
    await until(Math.min(after, count));
    if (by === 'pause') {
      await queue.pause();
      await delay(3);
      await queue.resume();
    } else {
      await worker.close();
      worker = begin();
    }
  }
  await until(count);
  await worker.close();

  const first = names(model.line());
  expect(starts.slice(0, first.length), 'without a group').toEqual(first);
  const grouped = starts.slice(first.length).map((data) => model.jobs.find((job) => job.data === data));
  for (const id of GROUPS)
    expect(names(grouped.flatMap((job) => (job?.group === id ? [job] : []))), id).toEqual(
      names(model.line(id)),
    );
  // A worker that closes or pauses gives back what it has just fetched; that was the turn of the group.
  const most = 1 + givenBack;
  for (const job of grouped) {
    if (!job) continue;
    model.start(job, '');
    model.settle();
    for (const [id, { passedBy }] of model.groups)
      expect(
        Math.max(0, ...passedBy.values()),
        `starts of another before ${id}, in ${starts.join()}`,
      ).toBeLessThanOrEqual(most);
  }
}
