import type { QueueKeys } from '../redis/keys.js';
import type { StreamEntry } from '../redis/replies.js';
import type { CommandLink } from './connections.js';
import { decodeEnvelope, withAttempt } from './envelope.js';
import type { DlqReason } from './metrics.js';
import { decodePayload } from './payload.js';

/** One dead letter. */
export interface DlqEntry {
  /** Its id among the dead letters. */
  dlqId: string;
  /** The entry id that it had in the work stream. */
  sourceId: string;
  /** `retries_exhausted`, `decode_failed`, `malformed`, `oversize_payload` or `unrecoverable`. */
  reason: string;
  /** What went wrong, in words. */
  detail: string | undefined;
  /** Dispatch name. */
  name: string;
  /** The original bytes of the entry's `d`: the msgpack Job. Empty where there was none. */
  payload: Buffer;
  /** Of the Job, where it can be decoded. */
  jobId: string | undefined;
  /** The user's data, where it can be decoded. */
  data: unknown;
  /** Attempts used. */
  attempts: number | undefined;
  /** Unix ms at which it was dead-lettered. */
  failedAt: number | undefined;
}

/** Which dead letters are meant; all that is given must apply, nothing given means all. */
export interface DlqSelection {
  /** Ids of letters (`dlqId`) or of their jobs (`jobId`). */
  ids?: readonly string[];
  reason?: DlqReason;
}

/** Letters read, and moved, at once. */
const PAGE = 500;

/** Reads up to `limit` dead letters, oldest first, without changing them. */
export async function peekDlq(link: CommandLink, keys: QueueKeys, limit: number): Promise<DlqEntry[]> {
  const letters: DlqEntry[] = [];
  for await (const page of pages(link, keys, limit)) letters.push(...page.map(toDlqEntry));
  return letters;
}

/**
 * Moves up to `limit` of the selected dead letters back to the work stream, oldest first, with their attempt counter at
 * 0. Letters that are no Job stay where they are and do not count. Resolves with how many were moved.
 */
export async function replayDlq(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  limit: number,
  eventsCap: number,
): Promise<number> {
  const isSelected = selects(selection);
  let moved = 0;
  // Bounded by what is there now: a job that fails again while this runs is not replayed twice.
  const newest = await newestId(link, keys);
  if (newest === undefined) return 0;
  for await (const page of pages(link, keys, Infinity, newest)) {
    const batch: Buffer[] = [];
    let count = 0;
    for (const [id, fields] of page) {
      if (moved + count >= limit) break;
      const letter = readFields(fields);
      const revived = revive(letter.get('d'));
      if (!revived || !isSelected(id, letter, revived.id)) continue;
      const empty = Buffer.alloc(0);
      batch.push(
        id,
        Buffer.from(revived.id),
        letter.get('n') ?? empty,
        revived.bytes,
        letter.get('u') ?? empty,
      );
      count += 1;
    }
    if (count > 0) {
      const states = (await link.run('replay', keys, [eventsCap, ...batch])) as number[];
      moved += states.filter((state) => state === 1).length;
    }
    if (moved >= limit) break;
  }
  return moved;
}

/** Deletes the selected dead letters, of those that are there now. Resolves with how many. */
export async function dropDlq(link: CommandLink, keys: QueueKeys, selection: DlqSelection): Promise<number> {
  const isSelected = selects(selection);
  const newest = await newestId(link, keys);
  if (newest === undefined) return 0;
  let dropped = 0;
  for await (const page of pages(link, keys, Infinity, newest)) {
    const ids = page
      .filter(([id, fields]) => {
        const letter = readFields(fields);
        return isSelected(id, letter, revive(letter.get('d'))?.id);
      })
      .map(([id]) => id);
    if (ids.length > 0) dropped += (await link.call('XDEL', [keys.dlq, ...ids])) as number;
  }
  return dropped;
}

function selects({
  ids,
  reason,
}: DlqSelection): (id: Buffer, letter: Map<string, Buffer>, jobId: string | undefined) => boolean {
  const wanted = ids && new Set(ids);
  return (id, letter, jobId) =>
    (!wanted || wanted.has(id.toString()) || (jobId !== undefined && wanted.has(jobId))) &&
    (reason === undefined || letter.get('reason')?.toString() === reason);
}

async function newestId(link: CommandLink, keys: QueueKeys): Promise<string | undefined> {
  const reply = (await link.call('XREVRANGE', [keys.dlq, '+', '-', 'COUNT', 1])) as [string, unknown][];
  return reply[0]?.[0];
}

async function* pages(
  link: CommandLink,
  keys: QueueKeys,
  limit: number,
  newest = '+',
): AsyncGenerator<StreamEntry[]> {
  let from = '-';
  let left = limit;
  while (left > 0) {
    const count = Math.min(left, PAGE);
    const page = (await link.callBuffer('XRANGE', [keys.dlq, from, newest, 'COUNT', count])) as StreamEntry[];
    const last = page.at(-1);
    if (!last) return;
    yield page;
    if (page.length < count) return;
    left -= page.length;
    from = `(${last[0].toString()}`;
  }
}

function readFields(fields: readonly Buffer[]): Map<string, Buffer> {
  const map = new Map<string, Buffer>();
  for (let i = 0; i + 1 < fields.length; i += 2) map.set(String(fields[i]), fields[i + 1] as Buffer);
  return map;
}

function revive(bytes: Buffer | undefined): { id: string; bytes: Buffer } | undefined {
  if (!bytes) return undefined;
  try {
    return { id: decodeEnvelope(bytes).id, bytes: withAttempt(bytes, 0) };
  } catch {
    // Not a Job: the reader would dead-letter it again at once.
    return undefined;
  }
}

function toDlqEntry([id, raw]: StreamEntry): DlqEntry {
  const fields = readFields(raw);
  const text = (name: string): string | undefined => fields.get(name)?.toString();
  const count = (name: string): number | undefined => (fields.has(name) ? Number(text(name)) : undefined);
  const payload = fields.get('d') ?? Buffer.alloc(0);
  const entry: DlqEntry = {
    dlqId: id.toString(),
    sourceId: text('source_id') ?? '',
    reason: text('reason') ?? '',
    detail: text('detail'),
    name: text('n') ?? '',
    payload,
    jobId: undefined,
    data: undefined,
    attempts: count('attempts'),
    failedAt: count('failed_at'),
  };
  try {
    const job = decodeEnvelope(payload);
    entry.jobId = job.id;
    entry.data = decodePayload(job.payload);
  } catch {
    // That it cannot be decoded is why it is here: `payload` has the bytes.
  }
  return entry;
}
