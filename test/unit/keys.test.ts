import { expect, test } from 'vitest';
import { queueKeys } from '../../lib/redis/keys.js';

test('the keys of the wire format', () => {
  const keys = queueKeys('mail');
  expect(keys).toMatchObject({
    stream: '{chasqui:mail}:stream',
    delayed: '{chasqui:mail}:delayed',
    dlq: '{chasqui:mail}:dlq',
    events: '{chasqui:mail}:events',
    repeat: '{chasqui:mail}:repeat',
    promoterLock: '{chasqui:mail}:promoter:lock',
    schedulerLock: '{chasqui:mail}:scheduler:lock',
  });
  expect(keys.repeatSpec('a::b')).toBe('{chasqui:mail}:repeat:spec:a::b');
  expect(keys.result('1')).toBe('{chasqui:mail}:result:1');
  expect(keys.dedup('1')).toBe('{chasqui:mail}:dlid:1');
  expect(keys.cancelled('1-0')).toBe('{chasqui:mail}:cancelled:1-0');
  expect(keys.workerWake('w')).toBe('{chasqui:mail}:wake:worker:w');
  expect(keys.delayedIndex('1')).toBe('{chasqui:mail}:didx:1');
});

test('every key, of whatever kind, has the hash tag of the queue', () => {
  const keys = queueKeys('mail');
  for (const [name, key] of Object.entries(keys) as [string, unknown][]) {
    if (name === 'queue') continue;
    const made = typeof key === 'function' ? (key as (id: string) => string)('id') : key;
    expect(made, name).toMatch(/^\{chasqui:mail\}:/);
  }
});
