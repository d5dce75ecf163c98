/** All keys of one queue. They share the hash tag, so one queue lives on one cluster slot. */
export interface QueueKeys {
  readonly queue: string;
  /** `{chasqui:<queue>}:` – what every key of the queue begins with. */
  readonly prefix: string;
  readonly stream: string;
  readonly delayed: string;
  readonly dlq: string;
  readonly events: string;
  readonly repeat: string;
  /** A stream whose entries tell one promoter that a job has become due earlier than it knew. */
  readonly promoterWake: string;
  /** The same for one scheduler, of specs. */
  readonly schedulerWake: string;
  /** The same for one worker: of which of its jobs were cancelled. */
  workerWake(consumerId: string): string;
  readonly promoterLock: string;
  /** Somebody waits for results; expires. */
  readonly waiters: string;
  /** A stream that tells them which jobs have ended: see lua/lib/result-waiters.lua. */
  readonly ended: string;
  readonly schedulerLock: string;
  repeatSpec(key: string): string;
  result(jobId: string): string;
  /** Why a job failed for good; for whoever waits for its result. */
  failed(jobId: string): string;
  /** That a job was cancelled while a worker held its entry: see lua/cancel.lua. */
  cancelled(entryId: string): string;
  /** Dedup marker, and where the job is: see lua/add.lua. */
  dedup(jobId: string): string;
  /** The exact delayed member, for cancel by id. */
  delayedIndex(jobId: string): string;
  /** Which recent calls of one producer have been carried out: see lua/lib/call-dedup.lua. */
  calls(producerId: string): string;
}

/** Keys of a script that are not the same for every call on a queue. */
export interface ExtraKeys {
  /** Of one producer. */
  calls?: string;
  /** Of the promoter or of the scheduler. */
  lock?: string;
  /** Of one of these, or of a worker. */
  wake?: string;
  /** A stream that is to be read. */
  read?: string;
}

/** What the header of a script may name as a key. */
export type ScriptKey =
  { [K in keyof QueueKeys]: QueueKeys[K] extends string ? K : never }[keyof QueueKeys] | keyof ExtraKeys;

export function queueKeys(queue: string): QueueKeys {
  const prefix = `{chasqui:${queue}}:`;
  return {
    queue,
    prefix,
    stream: `${prefix}stream`,
    delayed: `${prefix}delayed`,
    dlq: `${prefix}dlq`,
    events: `${prefix}events`,
    repeat: `${prefix}repeat`,
    promoterWake: `${prefix}wake:promoter`,
    schedulerWake: `${prefix}wake:scheduler`,
    workerWake: (consumerId) => `${prefix}wake:worker:${consumerId}`,
    waiters: `${prefix}waiters`,
    ended: `${prefix}ended`,
    promoterLock: `${prefix}promoter:lock`,
    schedulerLock: `${prefix}scheduler:lock`,
    repeatSpec: (key) => `${prefix}repeat:spec:${key}`,
    result: (jobId) => `${prefix}result:${jobId}`,
    failed: (jobId) => `${prefix}failed:${jobId}`,
    cancelled: (entryId) => `${prefix}cancelled:${entryId}`,
    dedup: (jobId) => `${prefix}dlid:${jobId}`,
    delayedIndex: (jobId) => `${prefix}didx:${jobId}`,
    calls: (producerId) => `${prefix}calls:${producerId}`,
  };
}
