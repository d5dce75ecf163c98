/** All keys of one queue. They share the hash tag, so one queue lives on one cluster slot. */
export interface QueueKeys {
  readonly queue: string;
  /** `{chasqui:<queue>}:`, the start of every key of the queue. */
  readonly prefix: string;
  readonly stream: string;
  readonly delayed: string;
  /** A sorted set: jobs that wait and have a priority, lifo or a group. See lua/lib/room.lua. */
  readonly room: string;
  readonly dlq: string;
  readonly events: string;
  /** A sorted set: ids of completed jobs that are kept, by the unix ms of their end. */
  readonly completed: string;
  readonly repeat: string;
  /** A hash with the policy of the queue: whether it is paused. It exists only if there is something to say. */
  readonly meta: string;
  /** A stream. Each entry tells one promoter that a job is due earlier than it knew. */
  readonly promoterWake: string;
  /** The same for schedulers. */
  readonly schedulerWake: string;
  /** A stream that tells one worker which of its jobs were cancelled, and that the policy has changed. */
  workerWake(consumerId: string): string;
  /** The report of a worker, a hash that expires: see lua/report-worker.lua. */
  worker(consumerId: string): string;
  readonly promoterLock: string;
  /** Exists while there are result waiters; expires. */
  readonly waiters: string;
  /** A stream that tells result waiters which jobs have ended: see lua/lib/result-waiters.lua. */
  readonly ended: string;
  readonly schedulerLock: string;
  repeatSpec(key: string): string;
  result(jobId: string): string;
  /** Why a job has no result, for result waiters. */
  failed(jobId: string): string;
  /** The log of a tracked job: see lua/lib/tracked.lua. */
  jobLogs(jobId: string): string;
  /** The mark of a job that was cancelled while it was in flight: see lua/cancel.lua. */
  cancelled(entryId: string): string;
  /** The marker of an id, which says where the job is: see lua/add.lua. */
  dedup(jobId: string): string;
  /** The member of a delayed job, to find it by its id. */
  delayedIndex(jobId: string): string;
  /** A hash with the counters of the room: see lua/lib/room.lua. */
  readonly gate: string;
  /** The ring of recent calls of one caller: see lua/lib/call-dedup.lua. */
  calls(producerId: string): string;
}

/** Keys of a script that differ between calls on the same queue. */
export interface ExtraKeys {
  /** The ring of one caller. */
  calls?: string;
  /** The lock of the promoters or of the schedulers. */
  lock?: string;
  /** The wake stream of these, or of a worker. */
  wake?: string;
  /** A stream or a sorted set to read. */
  read?: string;
  /** The report of a worker. */
  report?: string;
}

/** Names of keys in the headers of scripts. */
export type ScriptKey =
  { [K in keyof QueueKeys]: QueueKeys[K] extends string ? K : never }[keyof QueueKeys] | keyof ExtraKeys;

export function queueKeys(queue: string): QueueKeys {
  const prefix = `{chasqui:${queue}}:`;
  return {
    queue,
    prefix,
    stream: `${prefix}stream`,
    delayed: `${prefix}delayed`,
    room: `${prefix}room`,
    dlq: `${prefix}dlq`,
    events: `${prefix}events`,
    completed: `${prefix}completed`,
    repeat: `${prefix}repeat`,
    meta: `${prefix}meta`,
    promoterWake: `${prefix}wake:promoter`,
    schedulerWake: `${prefix}wake:scheduler`,
    workerWake: (consumerId) => `${prefix}wake:worker:${consumerId}`,
    worker: (consumerId) => `${prefix}worker:${consumerId}`,
    waiters: `${prefix}waiters`,
    ended: `${prefix}ended`,
    promoterLock: `${prefix}promoter:lock`,
    schedulerLock: `${prefix}scheduler:lock`,
    repeatSpec: (key) => `${prefix}repeat:spec:${key}`,
    result: (jobId) => `${prefix}result:${jobId}`,
    failed: (jobId) => `${prefix}failed:${jobId}`,
    jobLogs: (jobId) => `${prefix}job-logs:${jobId}`,
    cancelled: (entryId) => `${prefix}cancelled:${entryId}`,
    dedup: (jobId) => `${prefix}dlid:${jobId}`,
    delayedIndex: (jobId) => `${prefix}didx:${jobId}`,
    gate: `${prefix}gate`,
    calls: (producerId) => `${prefix}calls:${producerId}`,
  };
}
