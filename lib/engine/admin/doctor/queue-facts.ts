import { queueKeys } from '../../../redis/keys.js';
import type { QueueKeys } from '../../../redis/keys.js';
import { compareStreamIds, fieldsOf } from '../../../redis/replies.js';
import { readBacklog } from '../../../redis/scripts/read-backlog.js';
import type { CommandLink } from '../../connection/command-link.js';
import { RELEASED } from '../ownerless.js';
import { getWorkers } from '../workers.js';
import { findWrongTypes } from './key-types.js';
import { checkKeyTypes } from './queue-checks.js';
import type { ConsumerFacts, GroupFacts, QueueFacts, ScheduleFacts } from './queue-checks.js';
import type { Findings } from './finding.js';

const GREATEST_ID = '18446744073709551615-18446744073709551615';
/** How many entries and schedules are looked at. */
const FEW = 100;

/** Reads what the checks of a queue need. Undefined if a key has the wrong type: then nothing else can be read. */
export async function readQueueFacts(
  link: CommandLink,
  queue: string,
  findings: Findings,
): Promise<QueueFacts | undefined> {
  const keys = queueKeys(queue);
  const wrongTypes = await findWrongTypes(link, queue);
  if (!checkKeyTypes(findings, { wrongTypes })) return undefined;
  const { isSealed, groups } = await readStream(link, keys);
  const [only] = groups;
  const group = groups.length === 1 && only ? only.name : 'default';
  const backlog = await readBacklog(link, keys, { group });
  const evicted = Number((await link.call('GET', [`${keys.dlq}:evicted`])) ?? 0);
  return { wrongTypes, isSealed, groups, backlog, evicted, ...(await readSchedules(link, keys)) };
}

async function readStream(
  link: CommandLink,
  keys: QueueKeys,
): Promise<{ isSealed: boolean; groups: GroupFacts[] }> {
  const { stream } = keys;
  if (Number(await link.call('EXISTS', [stream])) === 0) return { isSealed: false, groups: [] };
  const info = fieldsOf(await link.call('XINFO', ['STREAM', stream]));
  const rows = (await link.call('XINFO', ['GROUPS', stream])) as unknown[];
  const alive = new Set((await getWorkers(link, keys)).map(({ group, id }) => `${group} ${id}`));
  const groups = await Promise.all(rows.map((row) => readGroup(link, stream, fieldsOf(row), alive)));
  return { isSealed: info.get('last-generated-id') === GREATEST_ID, groups };
}

async function readGroup(
  link: CommandLink,
  stream: string,
  row: ReadonlyMap<string, unknown>,
  alive: ReadonlySet<string>,
): Promise<GroupFacts> {
  const name = String(row.get('name'));
  const position = String(row.get('last-delivered-id'));
  const rows = (await link.call('XINFO', ['CONSUMERS', stream, name])) as unknown[];
  return {
    name,
    pending: Number(row.get('pending')),
    skipped: await countSkipped(link, stream, name, position),
    consumers: rows
      .map((one) => toConsumer(fieldsOf(one), name, alive))
      .filter((one) => one.name !== RELEASED),
  };
}

function toConsumer(
  row: ReadonlyMap<string, unknown>,
  group: string,
  alive: ReadonlySet<string>,
): ConsumerFacts {
  const name = String(row.get('name'));
  const isAlive = alive.has(`${group} ${name}`);
  return { name, pending: Number(row.get('pending')), idleMs: Number(row.get('idle')), isAlive };
}

/** How many of the oldest entries are before the group's position, and with no consumer. */
async function countSkipped(
  link: CommandLink,
  stream: string,
  group: string,
  position: string,
): Promise<number> {
  const entries = (await link.call('XRANGE', [stream, '-', position, 'COUNT', FEW])) as [string, unknown][];
  const [first, last] = [entries[0]?.[0], entries.at(-1)?.[0]];
  if (first === undefined || last === undefined) return 0;
  const pending = (await link.call('XPENDING', [stream, group, first, last, FEW])) as [
    string,
    ...unknown[],
  ][];
  const owned = new Set(pending.map(([id]) => id));
  const skipped = entries.filter(([id]) => !owned.has(id)).map(([id]) => id);
  if (skipped.length === 0) return 0;
  // An entry may have been settled between the two reads.
  const still = (await Promise.all(
    skipped.map((id) => link.call('XRANGE', [stream, id, id])),
  )) as unknown[][];
  return still.filter((found, i) => found.length > 0 && compareStreamIds(skipped[i] ?? '', position) <= 0)
    .length;
}

async function readSchedules(
  link: CommandLink,
  keys: QueueKeys,
): Promise<Pick<QueueFacts, 'scheduleLateMs' | 'orphaned'>> {
  const reply = (await link.call('ZRANGE', [keys.repeat, 0, FEW - 1, 'WITHSCORES'])) as (string | string[])[];
  // RESP3 replies with pairs.
  const found = reply.flat();
  const [seconds, micros] = (await link.call('TIME', [])) as [string, string];
  const now = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  const names = found.filter((_, i) => i % 2 === 0);
  const owners = await Promise.all(names.map((key) => link.call('HGET', [keys.repeatSpec(key), 'owner'])));
  const claimed = new Set((await link.call('HKEYS', [`${keys.repeat}:owners`])) as string[]);
  const orphaned: ScheduleFacts[] = names
    .map((key, i) => ({ key, owner: (owners[i] ?? undefined) as string | undefined }))
    .filter(({ owner }) => owner !== undefined && owner !== '' && !claimed.has(owner));
  return { scheduleLateMs: found.length > 0 ? Math.max(0, now - Number(found[1])) : 0, orphaned };
}
