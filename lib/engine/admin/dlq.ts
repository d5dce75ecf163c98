import type { QueueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import { dropDeadLetters } from '../../redis/scripts/drop-dead-letters.js';
import { replayDeadLetters } from '../../redis/scripts/replay-dead-letters.js';
import type { ReplayedLetter } from '../../redis/scripts/replay-dead-letters.js';
import type { CommandLink } from '../connection/command-link.js';
import { decodeEnvelope } from '../codec/read-envelope.js';
import { freshJob } from '../codec/fresh-job.js';
import { decodePayload } from '../codec/payload.js';
import type { DlqSelection } from '../config/options.js';
import { readDeadLetterIds, readDeadLetters } from './dead-letters.js';
import { Operation } from './operation.js';

/** One dead letter. */
export interface DlqEntry {
  /** Id of the dead letter. */
  dlqId: string;
  /** Id of the entry that it was in the work stream. */
  sourceId: string;
  /** `retries_exhausted`, `decode_failed`, `malformed`, `oversize_payload`, `unrecoverable` or `expired`. */
  reason: string;
  /** What went wrong, in words. */
  detail: string | undefined;
  /** The stack of the last error, where the handler threw one, of at most 8,000 characters. */
  stack: string | undefined;
  /** Dispatch name. */
  name: string;
  /** The original bytes of the entry's `d`: the msgpack Job. Empty if there was none. */
  payload: Buffer;
  /** Id of the job. Undefined where the Job cannot be decoded. */
  jobId: string | undefined;
  /** The user's data. Undefined where it cannot be decoded. */
  data: unknown;
  /** Attempts used. */
  attempts: number | undefined;
  /** Unix ms at which it was dead-lettered. */
  failedAt: number | undefined;
}

/**
 * Moves up to `limit` of the selected dead letters back to the work stream, oldest first, with their attempt counter at
 * 0. Dead letters that cannot be decoded stay where they are and do not count. Resolves with how many were moved.
 */
export async function replayDlq(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  { limit, perStep, eventsCap }: { limit: number; perStep?: number; eventsCap: number },
  operation = new Operation({}),
): Promise<number> {
  let moved = 0;
  for await (const page of readDeadLetters(link, keys, selection, limit, perStep)) {
    const letters = page.map(toReplayed).filter((letter) => letter !== undefined);
    if (letters.length < page.length) await operation.advance(0, page.length - letters.length);
    for (let at = 0; at < letters.length && moved < limit;) {
      operation.begin();
      const step = letters.slice(at, at + stepLength(letters, at, limit - moved));
      at += step.length;
      const states = await replayDeadLetters(link, keys, { eventsCap, letters: step });
      const count = states.filter((state) => state === 'moved').length;
      moved += count;
      await operation.advance(count, step.length - count);
    }
    if (moved >= limit) break;
  }
  return moved;
}

/** Most bytes of the jobs that one step moves, unless one is larger: Redis copies them several times. */
const STEP_BYTES = 512 * 1024;

function stepLength(letters: readonly ReplayedLetter[], from: number, most: number): number {
  let length = 0;
  let bytes = 0;
  while (length < most && from + length < letters.length) {
    bytes += (letters[from + length] as ReplayedLetter).bytes.length;
    if (length > 0 && bytes > STEP_BYTES) break;
    length += 1;
  }
  return length;
}

/** Undefined for a dead letter that cannot be decoded. */
function toReplayed([id, fields]: StreamEntry): ReplayedLetter | undefined {
  const deadLetter = readFields(fields);
  const job = withFreshAttempts(deadLetter.get('d'));
  return job && { id, ...job, name: deadLetter.get('n'), uniqueMs: deadLetter.get('u') };
}

export interface DropLettersOptions {
  /** The most that are deleted. */
  limit: number;
  /** `removed`: an event for each job. `cleaned`: one event for each step. */
  event: 'removed' | 'cleaned';
  /** 0 = no events. */
  eventsCap: number;
}

/** Deletes the selected dead letters that exist now. Yields the ids of their jobs, step by step. */
export async function* dropLetters(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  { limit, event, eventsCap }: DropLettersOptions,
  operation = new Operation({}),
): AsyncGenerator<string[]> {
  let left = limit;
  for await (const page of readDeadLetterIds(link, keys, selection)) {
    if (left <= 0) return;
    operation.begin();
    const ids = page.slice(0, left);
    if (ids.length === 0) continue;
    const dropped = await dropDeadLetters(link, keys, { ids, event, eventsCap });
    left -= dropped.length;
    await operation.advance(dropped.length);
    yield dropped;
  }
}

/** Deletes the selected dead letters that exist now. Resolves with how many. */
export async function dropDlq(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  options: Omit<DropLettersOptions, 'event'>,
  operation: Operation,
): Promise<number> {
  const all = { ...options, event: 'cleaned' } as const;
  let count = 0;
  for await (const dropped of dropLetters(link, keys, selection, all, operation)) count += dropped.length;
  return count;
}

function readFields(fields: readonly Buffer[]): Map<string, Buffer> {
  const map = new Map<string, Buffer>();
  for (let i = 0; i + 1 < fields.length; i += 2) map.set(String(fields[i]), fields[i + 1] as Buffer);
  return map;
}

/** Undefined where the bytes are not a Job: a reader would dead-letter it again at once. */
function withFreshAttempts(bytes: Buffer | undefined): { jobId: string; bytes: Buffer } | undefined {
  if (!bytes) return undefined;
  try {
    return { jobId: decodeEnvelope(bytes).id, bytes: freshJob(bytes) };
  } catch {
    return undefined;
  }
}

/** Decodes a dead letter, as far as its bytes can be decoded. */
export function toDlqEntry([id, raw]: StreamEntry): DlqEntry {
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
    // It is a dead letter because it cannot be decoded. `payload` has the bytes.
  }
  return entry;
}
