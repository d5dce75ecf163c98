import { addressOf } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { ConfigError } from '../base/errors.js';

/** A warning for an eviction policy: with any policy but `noeviction`, Redis drops keys at its memory limit. */
export function evictionWarning(policy: string | undefined, client: Client): ConfigError | undefined {
  if (policy === undefined || policy === 'noeviction') return undefined;
  const lost = policy.startsWith('volatile-')
    ? 'results, and the markers that prevent a job from being added or run twice'
    : 'jobs that were accepted';
  return new ConfigError(
    `Redis at ${addressOf(client)} has maxmemory-policy ${policy}: at its memory limit it silently drops ${lost}. Set maxmemory-policy noeviction.`,
  );
}
