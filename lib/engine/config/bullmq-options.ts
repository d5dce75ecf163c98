const NO_FLOWS = 'there are no flows of parent and child jobs. Add the child jobs in the handler';
const CRASHES =
  'jobs of dead workers run again by themselves, and each crash uses an attempt: see "maxAttempts" and "claimMinIdleMs"';
const LEASES = 'a worker renews the leases of its jobs by itself: see "claimMinIdleMs"';
const CONNECTS = 'a connection is made and checked by itself: see "connectTimeoutMs" and "autorun"';

/** Options of BullMQ and `@nestjs/bullmq` that do not exist here, and what to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  workerForkOptions:
    'there are no child processes. A processor file runs in threads: use "workerThreadsOptions"',
  lockDuration: LEASES,
  lockRenewTime: LEASES,
  skipLockRenewal: LEASES,
  stalledInterval: CRASHES,
  skipStalledCheck: CRASHES,
  maxStartedAttempts: CRASHES,
  maximumRateLimitDelay: 'a worker starts again as soon as the rate limit lets it. Remove it',
  runRetryDelay: 'a worker connects again by itself. Remove it',
  settings: 'set "backoffStrategies" of the worker. Schedules have no strategies of their own',
  block: 'a worker waits for jobs until it is closed: see "blockMs"',
  blockingConnection: CONNECTS,
  skipVersionCheck: CONNECTS,
  skipWaitingForReady: CONNECTS,
  sharedConnection: 'queues and workers of one connection share it always. Remove it',
  skipMetasUpdate: 'a queue writes nothing before its first job. Remove it',
  streams: 'use "eventsMaxStreamLen"',
  forceDisconnectOnShutdown: 'use "shutdownDeadlineSecs" of the worker',
  processors: 'write a class with @Processor(), and set its "useWorkerThreads" for threads',
  debounce: 'use "deduplication"',
  sizeLimit: 'use "maxPayloadBytes" of the queue and the worker',
  stackTraceLimit: 'a dead letter has the stack of its last error. Remove it',
  telemetry: 'set it on the queue and the worker: jobs carry their trace by themselves',
  prevMillis: 'a schedule knows its last slot by itself. Remove it',
  failParentOnFailure: NO_FLOWS,
  continueParentOnFailure: NO_FLOWS,
  ignoreDependencyOnFailure: NO_FLOWS,
  removeDependencyOnFailure: NO_FLOWS,
};

/** What to do instead of an option that BullMQ has and this package has not; undefined for any other name. */
export function insteadOfBullMq(key: string): string | undefined {
  return Object.hasOwn(INSTEAD, key) ? INSTEAD[key] : undefined;
}
