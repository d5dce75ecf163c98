import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Queue, UnrecoverableError, Worker } from '../../lib/engine/index.js';
import { waitForJob } from '../../lib/testing/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/operations.md', redis);

let queue: Queue;
beforeEach(() => {
  queue = new Queue('mail', { connection: redis.connection });
});
afterEach(() => queue.close());

/** Adds jobs that end among the dead letters for these reasons, with ids of their own. */
async function fail(...jobs: ['unrecoverable' | 'retries_exhausted', string][]): Promise<void> {
  const handler = async ({ name }: { name: string }) => {
    throw name === 'unrecoverable' ? new UnrecoverableError('no') : new Error('not now');
  };
  await using _worker = new Worker('mail', handler, { connection: redis.connection });
  for (const [reason, jobId] of jobs) {
    await queue.add(reason, {}, { attempts: 1, jobId });
    expect(await waitForJob(queue, jobId, 'dlq')).toMatchObject({ reason });
  }
}

// test/redis/acl.test.ts runs all commands as the ACL user of the page.
describe('dead letters', () => {
  const replay = block<{ replay(queue: Queue): Promise<void> }>('Dead letters');
  const some = block<{ tidyUp(queue: Queue): Promise<void> }>('Dead letters', 2);

  it('are looked at, and replayed in small batches', async () => {
    await fail(
      ['unrecoverable', '0'],
      ...['1', '2', '3', '4', '5'].map((id) => ['retries_exhausted', id] as ['retries_exhausted', string]),
    );
    const table = vi.spyOn(console, 'table').mockImplementation(() => {});
    await (await replay()).replay(queue);
    expect(table.mock.calls[0]?.[0]).toHaveLength(6);
    expect(await queue.getBacklog()).toMatchObject({ deadLetters: 1, waiting: 5 });
  });

  it('by reason and by id', async () => {
    const named = '01JD3Z5M2T4W6Y8A0C2E4G6J8K'; // in the page
    await fail(['unrecoverable', 'kept'], ['retries_exhausted', 'replayed'], ['unrecoverable', named]);
    await (await some()).tidyUp(queue);
    expect((await queue.peekDlq()).map(({ jobId }) => jobId)).toEqual(['kept']);
    expect(await queue.getBacklog()).toMatchObject({ waiting: 1 });
  });
});
