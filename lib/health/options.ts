/** What `checkConnection` takes. */
export interface ConnectionCheckOptions {
  /** How long to wait for Redis, in ms. Default 1,000. Keep it below the timeout of the probe. */
  timeoutMs?: number;
  /**
   * Names of connections, as `forRoot` registers them. Default: all connections that a queue, a `ChasquiServer` or a
   * `ChasquiClient` of this process uses.
   */
  connections?: readonly string[];
}

/** What `checkWorkers` takes. A stopped worker is not a fault, unless `requireRunning` is true. */
export interface WorkersCheckOptions {
  /** Names of queues. Default: all queues that this process works on, including those of `ChasquiServer`s. */
  queues?: readonly string[];
  /**
   * Down if a worker has waited longer than this for an answer from Redis, in ms. A healthy worker gets an answer within
   * its `blockMs`. Default: `blockMs` plus ten seconds.
   */
  maxUnansweredMs?: number;
  /** Down if all handlers of a worker have been busy for longer than this, in ms: some may hang. Default: never. */
  maxFullMs?: number;
  /** Down for this time after a worker has lost a lease, in ms. Default: never, because the loss is already over. */
  leaseLostWithinMs?: number;
  /** Down for this time after a worker has dropped old dead letters for new ones (`dlqMaxStreamLen`), in ms. Default: never. */
  dlqEvictedWithinMs?: number;
  /** Down if a worker does not run, even if you stopped it. Default false. */
  requireRunning?: boolean;
  /** Up if this process has no worker, as with `workers: false`. Default false: down. */
  allowNone?: boolean;
}

/** What `checkBacklog` takes. A threshold that you leave out is not checked. */
export interface BacklogCheckOptions {
  /** Names of queues. Default: all queues of this process, including those of `ChasquiServer`s and `ChasquiClient`s. */
  queues?: readonly string[];
  /** How long to wait for Redis, in ms. Default 1,000. */
  timeoutMs?: number;
  /** Down if more jobs than this wait for a worker. Default: no threshold. */
  maxWaiting?: number;
  /** Down if a job has waited for a worker for longer than this, in ms. Default: no threshold. */
  maxOldestWaitingMs?: number;
  /** Down if more jobs than this are delayed, including retries. Default: no threshold. */
  maxDelayed?: number;
  /**
   * Down if a delayed job is late by more than this, in ms: then no worker promotes jobs. Default: no threshold.
   */
  maxOverdueMs?: number;
  /** Down if there are more dead letters than this. Default: no threshold. */
  maxDeadLetters?: number;
  /** Down if a schedule is late by more than this, in ms: then no worker adds its jobs. Default: no threshold. */
  maxSchedulesOverdueMs?: number;
}
