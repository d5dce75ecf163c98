/** What `checkConnection` takes. */
export interface ConnectionCheckOptions {
  /** How long Redis has for its answer, in ms. Default 1,000. Keep it below the timeout of the probe. */
  timeoutMs?: number;
  /**
   * Names of connections, as `forRoot` registers them. Default: all that a queue, a `ChasquiServer` or a `ChasquiClient`
   * of this process uses.
   */
  connections?: readonly string[];
}

/** What `checkWorkers` takes. A worker that somebody stopped is no fault unless `requireRunning` says so. */
export interface WorkersCheckOptions {
  /** Names of queues. Default: all that this process works on, `ChasquiServer`s among them. */
  queues?: readonly string[];
  /**
   * Down when a worker has asked for work without an answer for longer than this, in ms. One that is well gets an answer
   * within its `blockMs`. Default: `blockMs` and ten seconds.
   */
  maxUnansweredMs?: number;
  /** Down when all handlers of a worker have been busy for longer than this, in ms: some may hang. Default: never. */
  maxFullMs?: number;
  /** Down for so long after a worker has lost a lease, in ms. Default: never, as the loss is over when it is seen. */
  leaseLostWithinMs?: number;
  /** Down for so long after a worker has dropped old dead letters for new ones (`dlqMaxStreamLen`), in ms. Default: never. */
  dlqEvictedWithinMs?: number;
  /** Down when a worker does not run, whoever stopped it. Default false. */
  requireRunning?: boolean;
  /** Up in a process that has no worker, where one is not meant to (`workers: false`). Default false: down. */
  allowNone?: boolean;
}

/** What `checkBacklog` takes. A threshold that is left out is no reason to be down. */
export interface BacklogCheckOptions {
  /** Names of queues. Default: all that this process uses, those of `ChasquiServer`s and `ChasquiClient`s among them. */
  queues?: readonly string[];
  /** How long Redis has for its answer, in ms. Default 1,000. */
  timeoutMs?: number;
  /** Down when more jobs than this wait for a worker. Default: no threshold. */
  maxWaiting?: number;
  /** Down when a job has waited for a worker for longer than this, in ms. Default: no threshold. */
  maxOldestWaitingMs?: number;
  /** Down when more jobs than this are in the delayed set. Default: no threshold. */
  maxDelayed?: number;
  /**
   * Down when a delayed job is late by more than this, in ms: if it grows, no worker promotes. Default: no threshold.
   */
  maxOverdueMs?: number;
  /** Down when there are more dead letters than this. Default: no threshold. */
  maxDeadLetters?: number;
}
