import type { QueueKeys } from '../../redis/keys.js';
import { setPolicy } from '../../redis/scripts/set-policy.js';
import { groupFields } from '../config/options/group.js';
import type { CommandLink } from '../connection/command-link.js';
import type { WorkerSettings } from './settings.js';

/** Stores the limits that the options of a worker declare. Those that were declared before change nothing. */
export async function declareLimits(
  link: CommandLink,
  keys: QueueKeys,
  { limiter, groupLimits }: Pick<WorkerSettings, 'limiter' | 'groupLimits'>,
): Promise<void> {
  if (limiter) {
    const { max, duration } = limiter;
    await setPolicy(link, keys, { declaredBy: 'limiter', fields: { max, duration } });
  }
  if (groupLimits) {
    await setPolicy(link, keys, { declaredBy: 'group', fields: groupFields(groupLimits) });
  }
}
