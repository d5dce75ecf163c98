import { expect, test } from 'vitest';
import { ConnectionError, ShutdownError } from '../../lib/engine/base/errors.js';
import { unlessShutdown } from '../../lib/engine/base/unless-shutdown.js';

test('reports why a call failed, and not that its connection was closed', () => {
  const heard: unknown[] = [];
  const report = unlessShutdown((error) => heard.push(error));
  const lost = new ConnectionError('lost');
  for (const error of [lost, new ShutdownError('closed'), 'text']) report(error);
  expect(heard).toEqual([lost, 'text']);
});
