/** For how long `waiters` says that a result waiter exists, in ms. It is renewed while one does. */
export const WAITERS_TTL_MS = 10_000;

/** A length that stands for a value that is too large for the entry: see lua/lib/result-waiters.lua. */
const NOT_IN_ENTRY = 0xffffffff;

export interface EndedListener {
  /** Asked for each job before the rest of its frame is read. */
  isAwaited: (jobId: string) => boolean;
  /** @param value MessagePack; undefined = nothing is stored; 'stored' = only the result key has it */
  completed: (jobId: string, value: Buffer | 'stored' | undefined) => void;
  /** @param why see lua/dead-letter.lua; undefined = only a key of its own has it */
  failed: (jobId: string, why: string | undefined) => void;
}

/** Reads an entry of the stream that tells result waiters which jobs have ended. */
export function readEndedEntry([field, frames]: readonly Buffer[], listener: EndedListener): void {
  if (!field || !frames) return;
  const completed = field.toString() === 'completed';
  let at = 0;
  while (at + 2 <= frames.length) {
    const idEnd = at + 2 + frames.readUInt16BE(at);
    const jobId = frames.toString('utf8', at + 2, idEnd);
    const length = frames.readUInt32BE(idEnd);
    const from = idEnd + 4;
    at = from + (length === NOT_IN_ENTRY ? 0 : length);
    if (!listener.isAwaited(jobId)) continue;
    if (!completed) {
      listener.failed(jobId, length === NOT_IN_ENTRY ? undefined : frames.toString('utf8', from, at));
    } else if (length === NOT_IN_ENTRY) listener.completed(jobId, 'stored');
    else listener.completed(jobId, length === 0 ? undefined : frames.subarray(from, at));
  }
}
