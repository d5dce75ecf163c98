import { ConfigError } from '../engine/index.js';
import type { Schema } from '../engine/config/check-options.js';
import { boolean, limitMs, whole } from '../engine/config/checks.js';
import type { Check } from '../engine/config/checks.js';
import { nearestKey } from '../engine/config/nearest-key.js';
import type { BacklogCheckOptions, ConnectionCheckOptions, WorkersCheckOptions } from './options.js';

const names: Check = (value) =>
  Array.isArray(value) && value.every((name) => typeof name === 'string')
    ? undefined
    : 'must be an array of names';

export const connectionSchema: Schema<ConnectionCheckOptions> = { timeoutMs: whole(1), connections: names };

export const workersSchema: Schema<WorkersCheckOptions> = {
  queues: names,
  maxUnansweredMs: limitMs(1),
  maxFullMs: limitMs(1),
  leaseLostWithinMs: whole(1),
  dlqEvictedWithinMs: whole(1),
  requireRunning: boolean,
  allowNone: boolean,
};

export const backlogSchema: Schema<BacklogCheckOptions> = {
  queues: names,
  timeoutMs: whole(1),
  maxWaiting: whole(0),
  maxOldestWaitingMs: limitMs(0),
  maxDelayed: whole(0),
  maxOverdueMs: limitMs(0),
  maxDeadLetters: whole(0),
  maxSchedulesOverdueMs: limitMs(0),
};

/** @throws ConfigError (CMQ-004) for an unknown name; the message suggests the nearest known one */
export function checkNames(what: string, given: readonly string[], there: readonly string[]): void {
  for (const name of given) {
    if (there.includes(name)) continue;
    const nearest = nearestKey(name, there);
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    throw new ConfigError(`Health check: this process has no ${what} "${name}".${hint}`);
  }
}
