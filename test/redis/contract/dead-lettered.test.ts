import { expect, test } from 'vitest';
import { UnrecoverableError } from '../../../lib/engine/index.js';
import type { DeadLettered, Worker } from '../../../lib/engine/index.js';
import { KEYS, take, useKit } from './kit.js';

const redis = useKit();

/** What the worker emits, in order. */
function recorded(worker: Worker): unknown[][] {
  const events: unknown[][] = [];
  worker.on('failed', ({ id, attemptsMade }) => events.push(['failed', id, attemptsMade]));
  worker.on('deadLettered', ({ jobId }: DeadLettered) => events.push(['deadLettered', jobId]));
  return events;
}

test('deadLettered comes once, after the failed event of the last attempt', async () => {
  const worker = redis.worker(
    ({ data }) => {
      if (data === 'ok') return;
      throw data === 'never' ? new UnrecoverableError('never') : new Error('no luck');
    },
    { concurrency: 1 },
  );
  const events = recorded(worker);
  const letters = take(worker, 'deadLettered', 2);
  const queue = redis.queue();
  await queue.add('mail', 'ok', { attempts: 2 });
  const never = await queue.add('mail', 'never', { attempts: 2 });
  const unlucky = await queue.add('', 'luck', { attempts: 2 });
  const [first, second] = await letters;
  expect(first).toMatchObject({
    jobId: never.id,
    name: 'mail',
    reason: 'unrecoverable',
    detail: expect.stringMatching(/never/) as string,
    attempts: 1,
    job: { id: never.id, deadLetterReason: 'unrecoverable' },
  });
  expect(second).toMatchObject({ jobId: unlucky.id, reason: 'retries_exhausted', attempts: 2 });
  expect(second).not.toHaveProperty('name');
  expect(events).toEqual([
    ['failed', never.id, 1],
    ['deadLettered', never.id],
    ['failed', unlucky.id, 1],
    ['failed', unlucky.id, 2],
    ['deadLettered', unlucky.id],
  ]);
  const stored = await queue.peekDlq();
  expect(stored.map(({ sourceId }) => sourceId).sort()).toEqual([first!.entryId, second!.entryId].sort());
});

test('an entry that is no job has only this event', async () => {
  const worker = redis.worker(() => undefined, { maxPayloadBytes: 100 });
  const events = recorded(worker);
  const letters = take(worker, 'deadLettered', 3);
  const empty = await redis.client.xadd(KEYS.stream, '*', 'x', '1');
  const garbage = await redis.client.xadd(KEYS.stream, '*', 'd', 'garbage', 'n', 'mail');
  const large = await redis.queue().add('mail', 'x'.repeat(5_000));
  expect(await letters).toEqual([
    { entryId: empty, reason: 'malformed', detail: expect.stringMatching(/missing payload/) as string },
    {
      entryId: garbage,
      name: 'mail',
      reason: 'decode_failed',
      detail: expect.stringMatching(/not an array/) as string,
    },
    {
      entryId: expect.stringMatching(/^\d+-\d+$/) as string,
      jobId: large.id,
      name: 'mail',
      reason: 'oversize_payload',
      detail: expect.stringMatching(/maxPayloadBytes is 100/) as string,
    },
  ]);
  expect(events.map(([event]) => event)).toEqual(['deadLettered', 'deadLettered', 'deadLettered']);
});
