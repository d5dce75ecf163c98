import { queueKeys } from '../../../redis/keys.js';
import type { QueueKeys } from '../../../redis/keys.js';
import { fieldsOf } from '../../../redis/replies.js';
import type { CommandLink } from '../../connection/command-link.js';

/** A key that has another type than it should. */
export interface WrongType {
  readonly key: string;
  readonly type: string;
  readonly wanted: string;
}

/** The keys that each queue may have once, without the start of their names. Others belong to one job, group or worker. */
export const KEY_TYPES: Readonly<Record<string, string>> = {
  stream: 'stream',
  delayed: 'zset',
  room: 'zset',
  dlq: 'stream',
  events: 'stream',
  repeat: 'zset',
  meta: 'hash',
  completed: 'zset',
  gate: 'hash',
  slots: 'zset',
  ahead: 'list',
  groups: 'zset',
  'groups:limited': 'zset',
  'groups:paused': 'set',
  'groups:policy': 'hash',
  'groups:taking': 'hash',
  limit: 'list',
  taking: 'hash',
  'wake:idle': 'zset',
  'wake:promoter': 'stream',
  'wake:scheduler': 'stream',
  'promoter:lock': 'string',
  'scheduler:lock': 'string',
  'scheduler:gap': 'string',
  'delayed:unique': 'set',
  'dedup:parked': 'hash',
  'dlq:evicted': 'string',
  'dlq:tracked': 'string',
  'events:batches': 'zset',
  'metrics:completed': 'hash',
  'metrics:failed': 'hash',
  'repeat:owners': 'hash',
  waiters: 'string',
  ended: 'stream',
};

/** How many schedules, groups and workers are looked at. */
const FEW = 100;

/** The keys of a queue that have another type than they should. Of keys of single jobs, none is looked at. */
export async function findWrongTypes(link: CommandLink, queue: string): Promise<readonly WrongType[]> {
  const keys = queueKeys(queue);
  const wrong = await wrongOf(link, keys.prefix, Object.entries(KEY_TYPES));
  // Which others there are, these keys say.
  return wrong.length > 0 ? wrong : wrongOf(link, keys.prefix, await furtherKeys(link, keys));
}

type Wanted = readonly (readonly [name: string, type: string])[];

async function wrongOf(link: CommandLink, prefix: string, wanted: Wanted): Promise<WrongType[]> {
  const found = await Promise.all(
    wanted.map(async ([name, type]) => {
      const key = prefix + name;
      return { key, wanted: type, type: String(await link.call('TYPE', [key])) };
    }),
  );
  return found.filter(({ type, wanted: right }) => type !== right && type !== 'none');
}

/** Keys of schedules, of groups that wait, and of workers. */
async function furtherKeys(link: CommandLink, { prefix, stream, repeat }: QueueKeys): Promise<Wanted> {
  const first = async (set: string): Promise<string[]> =>
    (await link.call('ZRANGE', [set, 0, FEW - 1])) as string[];
  const [schedules, groups, limited, consumers] = await Promise.all([
    first(repeat),
    first(`${prefix}groups`),
    first(`${prefix}groups:limited`),
    consumersOf(link, stream),
  ]);
  return [
    ...schedules.map((key) => [`repeat:spec:${key}`, 'hash'] as const),
    ...[...groups, ...limited].map((group) => [`limit:${group}`, 'list'] as const),
    ...consumers.flatMap((id) => [
      [`worker:${id}`, 'hash'] as const,
      [`wake:worker:${id}`, 'stream'] as const,
    ]),
  ];
}

async function consumersOf(link: CommandLink, stream: string): Promise<string[]> {
  if (Number(await link.call('EXISTS', [stream])) === 0) return [];
  const groups = (await link.call('XINFO', ['GROUPS', stream])) as unknown[];
  const rows = await Promise.all(
    groups.map(async (row) => {
      const name = String(fieldsOf(row).get('name'));
      return (await link.call('XINFO', ['CONSUMERS', stream, name])) as unknown[];
    }),
  );
  return rows
    .flat()
    .slice(0, FEW)
    .map((row) => String(fieldsOf(row).get('name')));
}
