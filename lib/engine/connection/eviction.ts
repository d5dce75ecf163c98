import { addressOf } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ConfigError } from '../base/errors.js';

/** Redis drops keys at its memory limit, by any policy but one. */
export function evictionWarning(policy: string | undefined, client: Client): ConfigError | undefined {
  if (policy === undefined || policy === 'noeviction') return undefined;
  const lost = policy.startsWith('volatile-')
    ? 'results, and the marks that keep jobs from being added or run twice'
    : 'jobs that were accepted';
  return new ConfigError(
    `Redis at ${addressOf(client)} has maxmemory-policy ${policy}: at its memory limit it drops ${lost}, without a word. Set maxmemory-policy noeviction.`,
  );
}
