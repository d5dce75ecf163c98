import { SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it, vi } from 'vitest';
import { UnrecoverableError } from '../../lib/engine/index.js';
import type { Job, JobsOptions, Queue, Worker } from '../../lib/engine/index.js';
import { ENDS } from '../../lib/engine/worker/observe-worker.js';
import { STATE_NAMES, isInFlight } from '../../lib/engine/worker/lease/states.js';
import type { State } from '../../lib/engine/worker/lease/states.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { KEYS, NAME, useKit } from '../redis/contract/kit.js';
import { useSdk } from './support/sdk.js';

const kit = useKit();
const sdk = useSdk();
const PROCESS = `process ${NAME}`;

interface Case {
  outcome: string;
  /** What the span shows if the handler has failed. */
  isError?: boolean;
  opts?: JobsOptions;
  handler: (job: Job) => unknown;
  /** While the handler runs. */
  meanwhile?: (job: Job, queue: Queue, worker: Worker) => Promise<unknown>;
}

const untilAborted = async ({ signal }: Job): Promise<void> => {
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve);
  });
};

const CASES: Record<string, Case> = {
  'a handler that returns': { outcome: 'completed', handler: () => 1 },
  'a handler that fails and has attempts left': {
    outcome: 'retried',
    isError: true,
    opts: { attempts: 2, backoff: 600_000 },
    handler: () => {
      throw new Error('no');
    },
  },
  'a job that runs out of time, whose handler returns later': {
    outcome: 'retried',
    isError: true,
    opts: { attempts: 2, backoff: 600_000, timeoutMs: 20 },
    handler: untilAborted,
  },
  'a handler that fails for good': {
    outcome: 'dead-lettered',
    isError: true,
    handler: () => {
      throw new UnrecoverableError('never');
    },
  },
  'a job that is cancelled, whose handler gives up': {
    outcome: 'cancelled',
    isError: true,
    handler: async (job) => {
      await untilAborted(job);
      throw new Error('stopped');
    },
    meanwhile: ({ id }, queue) => queue.cancel(id),
  },
  'a handler that puts its job off': {
    outcome: 'released',
    handler: async (job) => {
      await job.moveToDelayed(Date.now() + 600_000);
    },
  },
  'a job that outlives the shutdown deadline, whose handler returns later': {
    outcome: 'released',
    handler: untilAborted,
    meanwhile: (_job, _queue, worker) => worker.close(),
  },
  'a job that outlives the shutdown deadline, whose handler never returns': {
    outcome: 'released',
    handler: () => new Promise(() => undefined),
    meanwhile: (_job, _queue, worker) => worker.close(),
  },
  'a job that is cancelled, whose handler never returns': {
    outcome: 'cancelled',
    handler: () => new Promise(() => undefined),
    meanwhile: async ({ id, signal }, queue, worker) => {
      const aborted = new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      await queue.cancel(id);
      await aborted;
      await worker.close();
    },
  },
  'a job whose lease was taken over, whose handler returns': {
    outcome: 'lost',
    handler: untilAborted,
    meanwhile: async () => {
      const [[entry] = ['']] = (await kit.client.xrange(KEYS.stream, '-', '+')) as [string, string[]][];
      await kit.client.xclaim(KEYS.stream, 'default', 'thief;lease=60000', 0, entry);
    },
  },
  'a job whose lease was taken over, whose handler returns before anybody notices': {
    outcome: 'lost',
    handler: async () => {
      const [[entry] = ['']] = (await kit.client.xrange(KEYS.stream, '-', '+')) as [string, string[]][];
      await kit.client.xclaim(KEYS.stream, 'default', 'thief;lease=60000', 0, entry);
    },
  },
};

describe('the outcome of a span, and of the metric', () => {
  it.each(Object.entries(CASES))(
    '%s',
    async (_what, { outcome, isError = false, opts, handler, meanwhile }) => {
      const telemetry = new ChasquiTelemetry();
      const queue = kit.queue({ telemetry });
      let start: (job: Job) => void = () => undefined;
      const started = new Promise<Job>((resolve) => {
        start = resolve;
      });
      const worker = kit.worker(
        (job) => {
          start(job);
          return handler(job);
        },
        { telemetry, claimMinIdleMs: 200, shutdownDeadlineSecs: 0.1 },
      );
      await queue.add('one', 1, opts);
      await meanwhile?.(await started, queue, worker);
      await vi.waitFor(() => {
        expect(sdk.named(PROCESS)).toHaveLength(1);
      }, 5_000);
      const [span] = sdk.named(PROCESS);
      expect(span?.attributes['chasqui.job.outcome']).toBe(outcome);
      expect(span?.attributes['chasqui.job.max_attempts']).toBe(opts?.attempts ?? 3);
      expect(span?.status.code === SpanStatusCode.ERROR).toBe(isError);
      const counted = await sdk.points('chasqui.jobs.ended');
      const ends = counted
        .filter(({ value }) => value === 1)
        .map(({ attributes }) => attributes['chasqui.job.outcome']);
      expect(ends).toEqual(outcome === 'lost' ? [] : [outcome]);
      expect(await sdk.value('chasqui.worker.leases.lost', {})).toBe(outcome === 'lost' ? 1 : 0);
      kit.errors.length = 0;
    },
  );

  it('is abandoned if Redis is down for longer than the worker has time to close', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    queue.on('error', () => undefined);
    await queue.add('one', 1);
    const worker = kit.worker(
      () => {
        kit.server.pause();
      },
      {
        telemetry,
        shutdownDeadlineSecs: 0.1,
        connection: { ...kit.connection, commandTimeout: 100 } as never,
      },
    );
    try {
      await vi.waitFor(() => {
        expect(sdk.named(`settle ${NAME}`).length).toBeGreaterThan(0);
      }, 5_000);
      expect(sdk.named(PROCESS)).toEqual([]);
      await worker.close();
    } finally {
      kit.server.resume();
    }
    expect(sdk.named(PROCESS).map(({ attributes }) => attributes['chasqui.job.outcome'])).toEqual([
      'abandoned',
    ]);
    expect(await sdk.value('chasqui.jobs.ended', { 'chasqui.job.outcome': 'abandoned' })).toBe(1);
    kit.errors.length = 0;
  });

  it('is there for each end of a job', () => {
    const ends = STATE_NAMES.filter((_, state) => !isInFlight(state as State));
    expect(Object.fromEntries(ends.map((name) => [name, ENDS[STATE_NAMES.indexOf(name)]]))).toEqual({
      completed: 'completed',
      retried: 'retried',
      'dead-lettered': 'dead-lettered',
      cancelled: 'cancelled',
      dropped: 'dropped',
      released: 'released',
      'handed-over': 'released',
      lost: 'lost',
      abandoned: 'abandoned',
    });
  });

  it('a batch whose jobs end differently is mixed, and says how many have completed', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    const jobs = (count: number) => Array.from({ length: count }, (_, data) => ({ name: 'one', data }));
    await queue.addBulk(jobs(10));
    kit.worker(
      ((all: Job[]) => all.map(({ data }) => (Number(data) < 2 ? new Error('no') : undefined))) as never,
      { telemetry, batches: { size: 10 }, maxAttempts: 1 },
    );
    await vi.waitFor(() => {
      expect(sdk.named(PROCESS)).toHaveLength(1);
    }, 5_000);
    const [span] = sdk.named(PROCESS);
    expect(span?.status.code).toBe(SpanStatusCode.ERROR);
    expect(span?.attributes).toMatchObject({
      'messaging.batch.message_count': 10,
      'chasqui.job.outcome': 'mixed',
      'chasqui.batch.completed': 8,
    });
    expect(span?.attributes['chasqui.job.attempt']).toBeUndefined();
    expect(span?.attributes['chasqui.job.max_attempts']).toBeUndefined();
  });

  it('a batch of one job says which job it is', async () => {
    const telemetry = new ChasquiTelemetry();
    const { id } = await kit.queue({ telemetry }).add('one', 1, { attempts: 2 });
    kit.worker(((jobs: Job[]) => jobs.map(() => 1)) as never, { telemetry, batches: { size: 10 } });
    await vi.waitFor(() => {
      expect(sdk.named(PROCESS)).toHaveLength(1);
    }, 5_000);
    expect(sdk.named(PROCESS)[0]?.attributes).toMatchObject({
      'messaging.batch.message_count': 1,
      'messaging.message.id': id,
      'chasqui.job.name': 'one',
      'chasqui.job.attempt': 1,
      'chasqui.job.max_attempts': 2,
      'chasqui.job.outcome': 'completed',
    });
  });
});
