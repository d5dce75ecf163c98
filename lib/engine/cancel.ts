import type { QueueKeys } from '../redis/keys.js';
import type { CommandLink } from './connections.js';
import { decodeEnvelope } from './envelope.js';

/**
 * Cancels jobs that are delayed or wait for a retry. True for a job that was still there and is gone now; then it is
 * never delivered. An id of the caller's is found by its index; a ULID by walking the delayed set in slices.
 */
export async function cancelDelayed(
  link: CommandLink,
  keys: QueueKeys,
  ids: readonly string[],
): Promise<boolean[]> {
  if (ids.length === 0) return [];
  const first = (await link.run(
    'cancel',
    keys,
    ids.flatMap((id) => [id, '']),
  )) as number[];
  const missing = new Set(ids.filter((_, index) => first[index] !== 1));
  if (missing.size === 0) return first.map(() => true);
  const found = await findMembers(link, keys, missing);
  const candidates = [...found];
  const second =
    candidates.length === 0 ? [] : ((await link.run('cancel', keys, candidates.flat())) as number[]);
  const cancelled = new Set(candidates.filter((_, index) => second[index] === 1).map(([id]) => id));
  return ids.map((id, index) => first[index] === 1 || cancelled.has(id));
}

async function findMembers(
  link: CommandLink,
  keys: QueueKeys,
  ids: ReadonlySet<string>,
): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  let cursor = '0';
  do {
    const [next, page] = (await link.callBuffer('ZSCAN', [keys.delayed, cursor, 'COUNT', 1000])) as [
      Buffer,
      Buffer[],
    ];
    for (let i = 0; i < page.length; i += 2) {
      const member = page[i] as Buffer;
      const id = idOf(member);
      if (id !== undefined && ids.has(id)) found.set(id, member);
    }
    cursor = next.toString();
  } while (cursor !== '0' && found.size < ids.size);
  return found;
}

function idOf(member: Buffer): string | undefined {
  try {
    return decodeEnvelope(member.subarray(4 + member.readUInt32LE(0))).id;
  } catch {
    // A member that is no job cannot be the one looked for.
    return undefined;
  }
}
