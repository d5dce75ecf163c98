import { ConfigError } from '../../engine/index.js';
import { checkOptions } from '../../engine/config/check-options.js';
import type { Schema } from '../../engine/config/check-options.js';
import { boolean, whole } from '../../engine/config/checks.js';
import { owner as ownerName } from '../../engine/config/options/repeat.js';
import type { ScheduleSettings } from '../module-options.js';

const SCHEMA: Schema<ScheduleSettings> = {
  owner: ownerName,
  generation: whole(0),
  removeUndeclared: boolean,
};

/** @throws ConfigError (CMQ-004) */
export function checkScheduleSettings(method: string, settings: ScheduleSettings): ScheduleSettings {
  const owner = `${method}, option "schedules"`;
  const checked = checkOptions(owner, SCHEMA, settings, ['owner']);
  if (checked.removeUndeclared && checked.generation === undefined) {
    throw new ConfigError(
      `${owner}: "removeUndeclared" needs "generation", a number that grows with each deployment. ` +
        'Without it, a process of an older deployment would remove the schedules that a newer one has declared.',
    );
  }
  return checked;
}
