/** For how long `waiters` says that somebody waits for results of the queue, in ms; it is renewed while they do. */
export const ENDED_WAITERS_MS = 10_000;

/** A length that stands for a value which is too large for the entry: see lua/lib/ended.lua. */
const NOT_IN_ENTRY = 0xffffffff;

export interface EndedListener {
  /** Asked for each job, before anything is read of how it has ended. */
  isAwaited: (jobId: string) => boolean;
  /** @param value MessagePack; undefined where nothing is stored; 'stored' where it stands only in the result key */
  completed: (jobId: string, value: Buffer | 'stored' | undefined) => void;
  /** @param why see lua/dead-letter.lua; undefined where it stands only in a key of its own */
  died: (jobId: string, why: string | undefined) => void;
}

/** Reads an entry of the stream that tells who waits for results which jobs have ended. */
export function readEnded([field, frames]: readonly Buffer[], listener: EndedListener): void {
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
      listener.died(jobId, length === NOT_IN_ENTRY ? undefined : frames.toString('utf8', from, at));
    } else if (length === NOT_IN_ENTRY) listener.completed(jobId, 'stored');
    else listener.completed(jobId, length === 0 ? undefined : frames.subarray(from, at));
  }
}
