import { expect, it } from 'vitest';
import { EventTail } from '../../lib/engine/admin/watch/event-tail.js';
import { CommandLink } from '../../lib/engine/connection/command-link.js';
import { KEYS, NAME, useKit } from './contract/kit.js';

/* What `chasqui watch` knows of the rates and the failures of a queue. */

const kit = useKit();

/** A tail, polled at the time of Redis. */
async function tailed(
  use: (tail: EventTail, poll: (laterMs?: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const link = new CommandLink({ ...kit.connection });
  try {
    await link.ready();
    const tail = new EventTail(link, NAME, 60);
    await use(tail, async (laterMs = 0) => {
      const [seconds, micros] = await kit.client.time();
      await tail.poll(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) + laterMs);
    });
  } finally {
    link.release();
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

it('counts the jobs of batches and of single events, those before the first poll too', async () => {
  const queue = kit.queue();
  await queue.addBulk(Array.from({ length: 40 }, () => ({ name: 'a', data: 1 })));
  await tailed(async (tail, poll) => {
    await poll(1_000);
    expect(sum(tail.rates.series('queued'))).toBe(40);
    await queue.add('b', 1);
    await poll(1_000);
    await poll(1_000);
    expect(sum(tail.rates.series('queued'))).toBe(41);
    expect(tail.rates.isPartial(60)).toBe(false);
  });
});

it('reads more events than fit into one page', async () => {
  const add = kit.client.pipeline();
  for (let i = 0; i < 1_234; i++) add.xadd(KEYS.events, '*', 'e', 'completed', 'id', String(i));
  await add.exec();
  await tailed(async (tail, poll) => {
    await poll(1_000);
    expect(sum(tail.rates.series('completed'))).toBe(1_234);
  });
});

it('knows when events were trimmed before it could read them', async () => {
  await kit.client.xadd(KEYS.events, '*', 'e', 'completed', 'id', '1');
  await tailed(async (tail, poll) => {
    await poll();
    for (let i = 0; i < 5; i++) await kit.client.xadd(KEYS.events, '*', 'e', 'completed', 'id', String(i));
    await kit.client.xtrim(KEYS.events, 'MAXLEN', 2);
    await poll(1_000);
    expect(tail.rates.isPartial(60)).toBe(true);
    expect(sum(tail.rates.series('completed'))).toBe(3);
  });
});

it('counts an event of the millisecond in which it found no event', async () => {
  await tailed(async (tail) => {
    const now = 1_700_000_000_000;
    await tail.poll(now);
    await kit.client.xadd(KEYS.events, `${String(now)}-0`, 'e', 'completed', 'id', '1');
    await kit.client.xadd(KEYS.events, `${String(now)}-1`, 'e', 'completed', 'id', '2');
    await tail.poll(now + 1_000);
    await tail.poll(now + 1_000);
    expect(sum(tail.rates.series('completed'))).toBe(2);
    expect(tail.rates.isPartial(60)).toBe(false);
  });
});

it('says what became of a job that failed, and survives batches that cannot be read', async () => {
  const add = (...fields: string[]): Promise<unknown> => kit.client.xadd(KEYS.events, '*', ...fields);
  await tailed(async (tail, poll) => {
    await poll();
    await add('e', 'failed', 'id', 'a', 'n', 'x', 'attempt', '1', 'reason', 'boom');
    await add('e', 'retry-scheduled', 'id', 'a', 'attempt', '2');
    await add(
      'e',
      'batch',
      'of',
      'failed,retry-scheduled',
      'jobs',
      '2',
      'ids',
      '["b","c"]',
      'reason',
      'bang',
    );
    await add('e', 'failed', 'id', 'd', 'attempt', '3', 'reason', 'end');
    await add('e', 'dlq', 'id', 'd');
    await add('e', 'failed', 'id', 'f', 'attempt', '1', 'reason', 'cancelled', 'cancelled', '1');
    await add('e', 'batch', 'of', 'failed', 'jobs', '2', 'ids', 'no list');
    await poll(1_000);
    expect(tail.failures.all.map(({ jobId, reason, outcome }) => [jobId, reason, outcome])).toEqual([
      ['a', 'boom', 'retry'],
      ['b', 'bang', 'retry'],
      ['c', 'bang', 'retry'],
      ['d', 'end', 'dead letter'],
      ['f', 'cancelled', 'cancelled'],
    ]);
    expect(tail.failures.total).toBe(5);
    expect(sum(tail.rates.series('failed'))).toBe(7);
  });
});
