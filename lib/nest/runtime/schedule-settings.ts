import { ConfigError } from '../../engine/index.js';
import { checkOptions } from '../../engine/config/check-options.js';
import type { Schema } from '../../engine/config/check-options.js';
import { boolean, text, whole } from '../../engine/config/checks.js';
import type { ScheduleSettings } from '../module-options.js';

const MOST_OWNER_BYTES = 256;

const SCHEMA: Schema<ScheduleSettings> = {
  owner: (value) =>
    text(value) ??
    (Buffer.byteLength(value as string) > MOST_OWNER_BYTES
      ? `must not be longer than ${String(MOST_OWNER_BYTES)} bytes`
      : undefined),
  generation: whole(0),
  removeUndeclared: boolean,
};

/** @throws ConfigError (CMQ-004) */
export function checkScheduleSettings(method: string, settings: ScheduleSettings): void {
  const owner = `${method}, option "schedules"`;
  checkOptions(owner, SCHEMA, settings, ['owner']);
  if (settings.removeUndeclared && settings.generation === undefined) {
    throw new ConfigError(
      `${owner}: "removeUndeclared" needs "generation", a number that grows with each deployment. ` +
        'Without it, a process of an older deployment would remove the schedules that a newer one has declared.',
    );
  }
}
