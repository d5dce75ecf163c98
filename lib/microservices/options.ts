import type { BulkJobOptions, QueueOptions, WorkerOptions } from '../engine/index.js';
import { jobSchema } from '../engine/config/options/job.js';
import { queueSchema } from '../engine/config/options/queue.js';
import { workerSchema } from '../engine/config/options/worker.js';
import type { Schema } from '../engine/config/check-options.js';
import { limitMs, text } from '../engine/config/checks.js';

/** What the server decides itself: it starts with the application, and replies are stored and announced. */
type Decided = 'autorun' | 'storeResults' | 'eventsEnabled' | 'resultTtlMs';

/** Options of a `ChasquiServer`: its queue, and everything that a worker can be told. */
export interface ChasquiServerOptions extends Omit<WorkerOptions, Decided> {
  /** The queue whose jobs are the messages. No other kind of worker should read it. */
  queue: string;
  /** How long a reply is kept for the client to fetch, in seconds. Default 60. */
  resultTtlSecs?: number;
}

/** Options of a `ChasquiClient`: the queue of a server, and everything that a queue can be told. */
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

/** `connected` from the start on; `interrupted` when Redis failed, until it is used with success; `closed`. */
export type ChasquiStatus = 'connected' | 'interrupted' | 'closed';

/** The longest time that a timer takes. */
const timeoutMs = limitMs(1);

const { autorun: _a, storeResults: _s, eventsEnabled: _e, resultTtlMs: _r, ...serverWorker } = workerSchema;
export const serverSchema: Schema<ChasquiServerOptions> = { ...serverWorker, queue: text };

export const clientSchema: Schema<ChasquiClientOptions> = { ...queueSchema, queue: text, timeoutMs };

// A message is sent now, or once after a delay; a schedule belongs to the queue.
const { repeat: _p, repeatJobKey: _k, ...messageJob } = jobSchema;
export const recordSchema: Schema<ChasquiRecordOptions> = { ...messageJob, timeoutMs };

/** Text as an object: connections are shared by the identity of what describes them. */
export function shareable<T extends { connection: QueueOptions['connection'] }>(options: T): T {
  const { connection } = options;
  return typeof connection === 'string' ? { ...options, connection: { url: connection } } : options;
}
