/**
 * The version of OpenTelemetry's semantic conventions that names and attributes follow. The conventions for messaging are not
 * stable, so a later version may rename them: this package changes them only in a release that says so.
 */
export const CONVENTIONS_VERSION = '1.45.0';
export const SCHEMA_URL = `https://opentelemetry.io/schemas/${CONVENTIONS_VERSION}`;

/** The name of the tracer and of the meter. */
export const SCOPE = 'nestjs-chasqui';

/** Attributes of spans, and labels of metrics. */
export const ATTRIBUTES = {
  system: 'messaging.system.name',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  queue: 'messaging.destination.name',
  group: 'messaging.consumer.group.name',
  client: 'messaging.client.id',
  messageId: 'messaging.message.id',
  batch: 'messaging.batch.message_count',
  batchCompleted: 'chasqui.batch.completed',
  errorType: 'error.type',
  job: 'chasqui.job.name',
  attempt: 'chasqui.job.attempt',
  maxAttempts: 'chasqui.job.max_attempts',
  delay: 'chasqui.job.delay',
  backoff: 'chasqui.job.backoff',
  duplicates: 'chasqui.job.duplicates',
  outcome: 'chasqui.job.outcome',
  reason: 'chasqui.dead_letter.reason',
  state: 'chasqui.job.state',
  address: 'server.address',
} as const;

export const SYSTEM = 'chasqui';

type Label = keyof typeof ATTRIBUTES;

export interface Metric {
  readonly name: string;
  readonly kind: 'counter' | 'histogram' | 'gauge';
  readonly unit: string;
  readonly description: string;
  readonly labels: readonly Label[];
  /** Of a histogram. */
  readonly buckets?: readonly number[];
}

/** Those that the conventions advise. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Jobs run, and wait, for longer than calls. */
const LONG_SECONDS = [...SECONDS, 30, 60, 300, 900, 3_600];

/** Every metric; docs/telemetry.md lists the same. */
export const METRICS = {
  sent: {
    name: 'messaging.client.sent.messages',
    kind: 'counter',
    unit: '{message}',
    description: 'Jobs that this process has added, or has tried to add; duplicates count, too.',
    labels: ['system', 'operation', 'queue', 'job', 'errorType'],
  },
  duplicates: {
    name: 'chasqui.jobs.duplicates',
    kind: 'counter',
    unit: '{job}',
    description: 'Jobs that were sent and not stored: another job has their id.',
    labels: ['queue'],
  },
  consumed: {
    name: 'messaging.client.consumed.messages',
    kind: 'counter',
    unit: '{message}',
    description: 'Jobs that this process has given to a handler; each attempt counts.',
    labels: ['system', 'operation', 'queue', 'job'],
  },
  operationDuration: {
    name: 'messaging.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long Redis took to store added jobs (send), or the outcomes of jobs (settle).',
    labels: ['system', 'operation', 'operationType', 'queue', 'errorType'],
    buckets: SECONDS,
  },
  processDuration: {
    name: 'messaging.process.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long the handler took.',
    labels: ['system', 'operation', 'queue', 'job', 'errorType'],
    buckets: LONG_SECONDS,
  },
  wait: {
    name: 'chasqui.job.wait.duration',
    kind: 'histogram',
    unit: 's',
    description: 'How long a job was ready to run before its handler was called.',
    labels: ['queue', 'job'],
    buckets: [0.001, ...LONG_SECONDS],
  },
  ended: {
    name: 'chasqui.jobs.ended',
    kind: 'counter',
    unit: '{job}',
    description: 'Jobs that have left a worker of this process, by outcome.',
    labels: ['queue', 'job', 'outcome', 'reason'],
  },
  promoted: {
    name: 'chasqui.jobs.promoted',
    kind: 'counter',
    unit: '{job}',
    description: 'Delayed jobs that became due and that this process has moved to the work stream.',
    labels: ['queue'],
  },
  fired: {
    name: 'chasqui.schedules.fired',
    kind: 'counter',
    unit: '{job}',
    description: 'Jobs that this process has added for schedules.',
    labels: ['queue'],
  },
  evicted: {
    name: 'chasqui.dead_letters.evicted',
    kind: 'counter',
    unit: '{job}',
    description: 'Old dead letters that were dropped to make room for new ones.',
    labels: ['queue'],
  },
  leasesLost: {
    name: 'chasqui.worker.leases.lost',
    kind: 'counter',
    unit: '{lease}',
    description: 'Jobs that another worker has taken over although this process ran them.',
    labels: ['queue'],
  },
  reconnects: {
    name: 'chasqui.connection.reconnects',
    kind: 'counter',
    unit: '{reconnect}',
    description: 'Outages of a connection to Redis that have ended.',
    labels: [],
  },
  jobs: {
    name: 'chasqui.queue.jobs',
    kind: 'gauge',
    unit: '{job}',
    description: 'Jobs in the queue, by state.',
    labels: ['queue', 'state'],
  },
  oldestWaiting: {
    name: 'chasqui.queue.oldest_waiting.age',
    kind: 'gauge',
    unit: 's',
    description: 'For how long the oldest waiting job has waited; 0 if none waits.',
    labels: ['queue'],
  },
  promotionLag: {
    name: 'chasqui.queue.promotion.lag',
    kind: 'gauge',
    unit: 's',
    description: 'By how much the earliest due job of the delayed set is late; 0 if none is due.',
    labels: ['queue'],
  },
  workers: {
    name: 'chasqui.queue.workers',
    kind: 'gauge',
    unit: '{worker}',
    description: 'Workers of all processes.',
    labels: ['queue'],
  },
  paused: {
    name: 'chasqui.queue.paused',
    kind: 'gauge',
    unit: '1',
    description: '1 if the queue is paused, else 0.',
    labels: ['queue'],
  },
  reachable: {
    name: 'chasqui.queue.reachable',
    kind: 'gauge',
    unit: '1',
    description: '1 if this process reaches the Redis of the queue, 0 if not.',
    labels: ['queue'],
  },
  scheduleLag: {
    name: 'chasqui.schedule.lag',
    kind: 'gauge',
    unit: 's',
    description: 'By how much the earliest due schedule is late; 0 if none is due.',
    labels: ['queue'],
  },
  running: {
    name: 'chasqui.worker.jobs.running',
    kind: 'gauge',
    unit: '{job}',
    description: 'Handlers that run in this process.',
    labels: ['queue'],
  },
  concurrency: {
    name: 'chasqui.worker.concurrency',
    kind: 'gauge',
    unit: '{job}',
    description: 'Handlers that may run at once in this process.',
    labels: ['queue'],
  },
  loopDelayP99: {
    name: 'chasqui.eventloop.delay.p99',
    kind: 'gauge',
    unit: 's',
    description: 'Delay of the event loop since the last collection: the 99th percentile.',
    labels: [],
  },
  loopDelayMax: {
    name: 'chasqui.eventloop.delay.max',
    kind: 'gauge',
    unit: 's',
    description: 'Delay of the event loop since the last collection: the longest.',
    labels: [],
  },
} as const satisfies Record<string, Metric>;
