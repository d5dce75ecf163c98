import type { QueueKeys } from '../../redis/keys.js';
import { compareStreamIds } from '../../redis/replies.js';
import type { StreamEntry } from '../../redis/replies.js';
import type { CommandLink } from '../connection/connections.js';
import { decodeEnvelope, withAttempt } from '../codec/envelope.js';
import { decodePayload } from '../codec/payload.js';
import type { DlqSelection } from '../config/options.js';
import { startOfSearch } from './search.js';

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
  /** The stack of the last error, where the handler threw one, of at most 8,000 characters. */
  stack: string | undefined;
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

/** Letters that one call looks at, at most; and that one call brings, or moves. */
const SLICE = 500;
const WHOLE = 200;

/** Reads up to `limit` dead letters, oldest first, without changing them. */
export async function peekDlq(link: CommandLink, keys: QueueKeys, limit: number): Promise<DlqEntry[]> {
  const letters: DlqEntry[] = [];
  for await (const page of wholeLetters(link, keys, {}, limit)) {
    letters.push(...page.slice(0, limit - letters.length).map(toDlqEntry));
    if (letters.length >= limit) break;
  }
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
  let moved = 0;
  for await (const page of wholeLetters(link, keys, selection, limit)) {
    const batch: Buffer[] = [];
    let count = 0;
    for (const [id, fields] of page) {
      if (moved + count >= limit) break;
      const letter = readFields(fields);
      const revived = revive(letter.get('d'));
      if (!revived) continue;
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
  let dropped = 0;
  for await (const page of letterIds(link, keys, selection)) {
    if (page.length > 0) dropped += (await link.run('drop', keys, page)) as number;
  }
  return dropped;
}

/** The selected letters, oldest first, of those that are there now: one that comes back meanwhile is not met twice. */
async function* wholeLetters(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  limit: number,
): AsyncGenerator<StreamEntry[]> {
  const { ids } = selection;
  const reason: string = selection.reason ?? '';
  if (!ids) {
    const count = reason === '' ? Math.min(WHOLE, limit) : WHOLE;
    for await (const page of slices(link, keys, count, true, reason, [])) yield page as StreamEntry[];
    return;
  }
  const selected: string[] = [];
  for await (const page of letterIds(link, keys, selection)) selected.push(...page.map(String));
  selected.sort(compareStreamIds);
  for (let at = 0; at < selected.length;) {
    const [looked, ...letters] = await lettersById(link, keys, true, reason, selected.slice(at, at + WHOLE));
    at += looked;
    yield letters as StreamEntry[];
  }
}

/** The ids of the selected letters, in no order. */
async function* letterIds(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
): AsyncGenerator<Buffer[]> {
  const { ids } = selection;
  const reason: string = selection.reason ?? '';
  const wanted = ids && new Set(ids);
  if (wanted) {
    // An id of a letter is where it is. Any other is a job's, which only the letter itself tells.
    const places = [...wanted].filter((id) => /^\d{1,20}-\d{1,20}$/.test(id));
    for (let at = 0; at < places.length;) {
      const [looked, ...found] = await lettersById(link, keys, false, reason, places.slice(at, at + SLICE));
      at += looked;
      yield found as Buffer[];
      for (const id of found) wanted.delete(String(id));
    }
    if (wanted.size === 0) return;
  }
  for await (const page of slices(link, keys, SLICE, false, reason, wanted ? [...wanted] : []))
    yield page as Buffer[];
}

type Letter = StreamEntry | Buffer;

async function* slices(
  link: CommandLink,
  keys: QueueKeys,
  count: number,
  whole: boolean,
  reason: string,
  jobIds: readonly string[],
): AsyncGenerator<Letter[]> {
  const newest = (await link.call('XREVRANGE', [keys.dlq, '+', '-', 'COUNT', 1])) as [string, unknown][];
  const to = newest[0]?.[0];
  if (to === undefined) return;
  let found = 0;
  const walk = async function* (from: string, end: string): AsyncGenerator<Letter[]> {
    for (let at = from; at !== '';) {
      const args = [at, end, count, whole ? 1 : '', reason, ...jobIds];
      const reply = await link.run('letters', keys, args, { buffers: true, once: true });
      const [next, ...page] = reply as [Buffer, ...Letter[]];
      found += page.length;
      yield page;
      at = next.toString();
    }
  };
  // A job's letter is younger than the job, except where the clock of its producer was ahead.
  const start = startOfSearch(jobIds);
  yield* walk(start, to);
  if (start !== '-' && found < jobIds.length) yield* walk('-', `(${start}`);
}

async function lettersById(
  link: CommandLink,
  keys: QueueKeys,
  whole: boolean,
  reason: string,
  ids: readonly string[],
): Promise<[looked: number, ...Letter[]]> {
  const args = [whole ? 1 : '', reason, ...ids];
  const reply = await link.run('letters-by-id', keys, args, { buffers: true, once: true });
  return reply as [number, ...Letter[]];
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
    stack: text('stack'),
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
