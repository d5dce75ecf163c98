import type { BulkJobOptions, QueueOptions, WorkerOptions } from '../engine/index.js';
import { jobSchema } from '../engine/config/options/job.js';
import { queueSchema } from '../engine/config/options/queue.js';
import { workerSchema } from '../engine/config/options/worker.js';
import type { Schema } from '../engine/config/check-options.js';
import { limitMs, text } from '../engine/config/checks.js';

/** The options that the server sets itself: it starts with the application, and it stores and announces replies. */
type Decided = 'autorun' | 'storeResults' | 'eventsEnabled' | 'resultTtlMs';

/** Options of a `ChasquiServer`: its queue, and the options of a worker. */
export interface ChasquiServerOptions extends Omit<WorkerOptions, Decided> {
  /** The queue whose jobs are the messages. No other kind of worker may read it. */
  queue: string;
  /** How long a reply is kept for the client to fetch, in seconds. Default 60. */
  resultTtlSecs?: number;
}

/** Options of a `ChasquiClient`: the queue of a server, and the options of a queue. */
export interface ChasquiClientOptions extends QueueOptions {
  /** The queue of the server. */
  queue: string;
  /** How long `send` waits for a reply, in ms. Default 30,000. */
  timeoutMs?: number;
}

/** Options of one message: those of a job, and how long to wait for a reply. */
export interface ChasquiRecordOptions extends BulkJobOptions {
  /** Only for `send`: how long to wait for a reply, in ms. Default: the client's. */
  timeoutMs?: number;
}

/** `connected` after the start; `interrupted` after Redis failed, until a call succeeds; `closed`. */
export type ChasquiStatus = 'connected' | 'interrupted' | 'closed';

const timeoutMs = limitMs(1);

const { autorun: _a, storeResults: _s, eventsEnabled: _e, resultTtlMs: _r, ...serverWorker } = workerSchema;
export const serverSchema: Schema<ChasquiServerOptions> = { ...serverWorker, queue: text };

export const clientSchema: Schema<ChasquiClientOptions> = { ...queueSchema, queue: text, timeoutMs };

// A message is sent now, or once after a delay. Schedules are set on the queue.
const { repeat: _p, repeatJobKey: _k, ...messageJob } = jobSchema;
export const recordSchema: Schema<ChasquiRecordOptions> = { ...messageJob, timeoutMs };

/** Turns a URL into an object, because the engine shares a connection among users of the same options object. */
export function shareable<T extends { connection: QueueOptions['connection'] }>(options: T): T {
  const { connection } = options;
  return typeof connection === 'string' ? { ...options, connection: { url: connection } } : options;
}
