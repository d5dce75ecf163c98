import { findWrongTypes } from '../../engine/admin/doctor/key-types.js';
import { printable } from '../../engine/base/printable.js';
import { messageOf } from '../../engine/base/thrown.js';
import type { Context } from './context.js';

/** Most keys that are named. */
const MOST_KEYS = 3;

/** Whether Redis has refused a command because another program has overwritten a key. */
export function isWrongType(error: unknown): boolean {
  return messageOf(error).includes('WRONGTYPE');
}

/** Names the keys of the command's queues that have another type than they should. Undefined if none is found. */
export async function wrongKeysHint(context: Context): Promise<string | undefined> {
  try {
    const { link } = await context.servers();
    const wrong = await Promise.all(context.usedQueues.map((name) => findWrongTypes(link, name)));
    const named = wrong.flat().slice(0, MOST_KEYS);
    const texts = named.map(
      ({ key, type, wanted }) => `${printable(key)} is a ${type}, and must be a ${wanted}.`,
    );
    return texts.length === 0 ? undefined : texts.join(' ');
  } catch {
    // The error that is reported says what is wrong.
    return undefined;
  }
}
