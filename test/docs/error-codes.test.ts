import { expect, it } from 'vitest';
import { Queue } from '../../lib/engine/index.js';
import { useRedis } from '../support/redis.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/error-codes.md', redis);

const branching = block<{ welcome(emails: Queue, to: string): Promise<boolean> }>('Error codes');

it('an error is known by its code', async () => {
  const { welcome } = await branching();
  const emails = new Queue('emails', { connection: redis.connection, maxStreamLen: 1 });
  expect(await welcome(emails, 'ada@example.com')).toBe(true);
  expect(await welcome(emails, 'bob@example.com')).toBe(false);
  await emails.close();
  await expect(welcome(emails, 'eve@example.com')).rejects.toMatchObject({ code: 'CMQ-005' });
});
