import { describe, expect, it } from 'vitest';
import { toConsumerConfig, toSettings } from '../../lib/engine/worker/settings.js';
import { producerSchema } from '../../lib/engine/config/options/queue.js';
import { promoterSchema, standaloneSchedulerSchema } from '../../lib/engine/config/options/timers.js';
import { consumerSchema } from '../../lib/engine/config/options/worker.js';

/** The fields of the engine's reference, in our spelling. */
const REFERENCE = {
  consumer: [
    'group consumerId batch blockMs claimMinIdleMs concurrency maxAttempts ackBatch ackIdleMs',
    'shutdownDeadlineSecs maxPayloadBytes dlqInflight dlqMaxStreamLen retry retryInflight delayedEnabled',
    'delayedPollIntervalMs delayedPromoteBatch delayedMaxStreamLen delayedLockTtlSecs eventsEnabled',
    'eventsMaxStreamLen runScheduler scheduler storeResults resultTtlSecs metrics',
  ],
  producer: ['queueName poolSize maxStreamLen maxDelaySecs'],
  promoter: [
    'queueName pollIntervalMs promoteBatch maxStreamLen lockTtlSecs holderId eventsEnabled eventsMaxStreamLen metrics',
  ],
  scheduler: ['queueName tickIntervalMs batch maxStreamLen lockTtlSecs holderId metrics'],
};
const SCHEMAS = {
  consumer: consumerSchema,
  producer: producerSchema,
  promoter: promoterSchema,
  scheduler: standaloneSchedulerSchema,
};

describe('configuration of the reference', () => {
  it.each(['consumer', 'producer', 'promoter', 'scheduler'] as const)('%s: every field is known', (part) => {
    const fields = REFERENCE[part].join(' ').split(' ');
    expect(Object.keys(SCHEMAS[part])).toEqual(expect.arrayContaining(fields));
  });

  it('consumer: the defaults of the reference', () => {
    expect(toSettings({})).toMatchObject({
      group: 'default',
      batch: 64,
      blockMs: 5_000,
      leaseMs: 30_000,
      concurrency: 100,
      maxAttempts: 3,
      ackBatch: 256,
      ackIdleMs: 5,
      shutdownDeadlineMs: 30_000,
      maxPayloadBytes: 1_048_576,
      dlqInflight: 32,
      dlqMaxStreamLen: 100_000,
      retry: { initialBackoffMs: 100, maxBackoffMs: 30_000, multiplier: 2, jitterMs: 100 },
      retryInflight: 64,
      delayedEnabled: true,
      delayedPromoteBatch: 256,
      delayedLockTtlMs: 5_000,
      eventsCap: 100_000,
      runScheduler: true,
      storeResults: false,
      resultTtlMs: 3_600_000,
    });
  });

  it('worker: its own names are fields of the consumer', () => {
    const connection = 'redis://127.0.0.1:6379';
    const config = toConsumerConfig({
      connection,
      drainDelay: 7,
      maxStalledCount: 8,
      name: 'me',
      schedulerTickMs: 9,
      resultTtlMs: 1_500,
    });
    expect(toSettings(config)).toMatchObject({
      blockMs: 7,
      maxAttempts: 8,
      consumerId: expect.stringMatching(/^me-[0-9a-f-]{36};lease=30000$/) as string,
      scheduler: { tickIntervalMs: 9 },
      resultTtlMs: 2_000,
    });
  });
});
