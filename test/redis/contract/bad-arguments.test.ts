import { describe, expect, test } from 'vitest';
import { ConfigError, ConfigRangeError, ConfigTypeError } from '../../../lib/engine/index.js';
import type { Job, Queue, Worker } from '../../../lib/engine/index.js';
import { rejection, useKit } from './kit.js';

const redis = useKit();

/** A class, and values that it is said of. */
type Refused = readonly [error: abstract new (...args: never[]) => Error, values: readonly unknown[]];

// The rule is in docs/error-codes.md.
const NO_NUMBERS = ['5', null, {}, [], true, 10n, new Date(NaN)];
const TEXT: readonly Refused[] = [
  [ConfigTypeError, ['', ' ', 5, null, {}, ['a'], true]],
  [ConfigError, ['x'.repeat(600), '\ud800']],
];
const COUNT: readonly Refused[] = [[ConfigRangeError, [-1, 1.5, NaN, Infinity, 2 ** 60, ...NO_NUMBERS]]];
const INDEX: readonly Refused[] = [[ConfigRangeError, [1.5, NaN, Infinity, 2 ** 60, ...NO_NUMBERS]]];
/** Infinity = no limit. */
const LIMIT: readonly Refused[] = [[ConfigRangeError, [-1, 1.5, NaN, 2 ** 60, ...NO_NUMBERS]]];
const DURATION: readonly Refused[] = [[ConfigRangeError, [-1, NaN, Infinity, ...NO_NUMBERS]]];
const DELAY: readonly Refused[] = [[ConfigRangeError, [-1, NaN, Infinity, 2 ** 60, ...NO_NUMBERS]]];
const WORD: readonly Refused[] = [[ConfigError, ['', 'odd', 5, {}, ['a'], true]]];
const OF_OPTION: readonly Refused[] = [[ConfigError, [-1, 1.5, NaN, 2 ** 60, ...NO_NUMBERS]]];
const LIST: readonly Refused[] = [[ConfigTypeError, [-1, NaN, '5', null, {}, true]]];

interface Subjects {
  queue: Queue;
  worker: Worker;
  job: Job;
}

type Call = (subjects: Subjects, value: never) => unknown;

const CALLS: Record<string, { refused: readonly Refused[]; calls: readonly Call[] }> = {
  'the id of a group': {
    refused: TEXT,
    calls: [
      ({ queue }, id) => queue.pauseGroup(id),
      ({ queue }, id) => queue.resumeGroup(id),
      ({ queue }, id) => queue.drainGroup(id),
      ({ queue }, id) => queue.getGroupJobs(id),
      ({ queue }, id) => queue.getGroupJobsCount(id),
      ({ queue }, id) => queue.getGroupActiveCount(id),
      ({ queue }, id) => queue.getGroupStatus(id),
      ({ queue }, id) => queue.setGroupConcurrency(id, 1),
      ({ queue }, id) => queue.getGroupConcurrency(id),
      ({ queue }, id) => queue.removeGroupConcurrency(id),
      ({ queue }, id) => queue.setGroupRateLimit(id, 1, 1),
      ({ queue }, id) => queue.getGroupRateLimit(id),
      ({ queue }, id) => queue.removeGroupRateLimit(id),
      ({ queue }, id) => queue.getGroupRateLimitTtl(id),
      ({ queue }, id) => queue.getCountsPerPriorityForGroup(id, [1]),
    ],
  },
  'the id of a job': {
    refused: TEXT,
    calls: [
      ({ queue }, jobId) => queue.add('a', 1, { jobId }),
      ({ queue }, id) => queue.cancel(id),
      ({ queue }, id) => queue.remove(id),
      ({ queue }, id) => queue.getJob(id),
      ({ queue }, id) => queue.getJobState(id),
      ({ queue }, id) => queue.getJobLogs(id),
      ({ queue }, id) => queue.updateJobProgress(id, 1),
      ({ queue }, id) => queue.addJobLog(id, 'row'),
      ({ queue }, id) => queue.removeDeduplicationKey(id),
    ],
  },
  'a count': {
    refused: COUNT,
    calls: [
      ({ queue }, most) => queue.setGlobalConcurrency(most),
      ({ queue }, most) => queue.setGlobalRateLimit(most, 1),
      ({ queue }, most) => queue.setGroupConcurrency('g', most),
      ({ queue }, most) => queue.setGroupRateLimit('g', most, 1),
      ({ queue }, most) => queue.getRateLimitTtl(most),
      ({ queue }, most) => queue.getGroupRateLimitTtl('g', most),
      ({ queue }, most) => queue.addJobLog('j', 'row', most),
      ({ queue }, at) => queue.getDelayedCount(at),
      ({ queue }, one) => queue.getCountsPerPriority([one]),
      ({ queue }, one) => queue.getCountsPerPriorityForGroup('g', [one]),
      ({ job }, most) => job.clearLogs(most),
      ({ worker }, most) => {
        worker.concurrency = most;
      },
    ],
  },
  'a time of a rate limit': {
    refused: COUNT,
    calls: [
      ({ queue }, ms) => queue.setGlobalRateLimit(1, ms),
      ({ queue }, ms) => queue.setGroupRateLimit('g', 1, ms),
      ({ queue }, ms) => queue.rateLimit(ms),
      ({ worker }, ms) => worker.rateLimit(ms),
      ({ worker, job }, ms) => worker.rateLimitGroup(job, ms),
    ],
  },
  'an index': {
    refused: INDEX,
    calls: [
      ({ queue }, at) => queue.getGroups(at),
      ({ queue }, at) => queue.getGroups(0, at),
      ({ queue }, at) => queue.getGroupsByStatus('paused', at),
      ({ queue }, at) => queue.getGroupJobs('g', at),
      ({ queue }, at) => queue.getJobs(['waiting'], 0, at),
      ({ queue }, at) => queue.getDelayed(at),
      ({ queue }, at) => queue.getJobSchedulers(at),
      ({ queue }, at) => queue.getJobLogs('j', at),
      ({ queue }, at) => queue.getMetrics('completed', 0, at),
    ],
  },
  'a limit': {
    refused: LIMIT,
    calls: [
      ({ queue }, limit) => queue.clean(0, limit, 'failed'),
      ({ queue }, limit) => queue.peekDlq(limit),
      ({ queue }, limit) => queue.getRepeatableJobs(limit),
    ],
  },
  'a duration': { refused: DURATION, calls: [({ queue }, ms) => queue.clean(ms, 0, 'delayed')] },
  'a delay': {
    refused: DELAY,
    calls: [({ queue }, delay) => queue.add('a', 1, { delay }), ({ job }, delay) => job.changeDelay(delay)],
  },
  'a word': {
    refused: WORD,
    calls: [
      ({ queue }, status) => queue.getGroupsByStatus(status),
      ({ queue }, type) => queue.getJobs(type),
      ({ queue }, type) => queue.getJobCounts(type),
      ({ queue }, type) => queue.clean(0, 0, type),
      ({ queue }, type) => queue.getMetrics(type),
    ],
  },
  'a list': {
    refused: LIST,
    calls: [
      ({ queue }, list) => queue.addBulk(list),
      ({ queue }, list) => queue.getCountsPerPriority(list),
      ({ queue }, list) => queue.getCountsPerPriorityForGroup('g', list),
    ],
  },
  'a number among options': {
    refused: OF_OPTION,
    calls: [
      ({ queue }, priority) => queue.add('a', 1, { priority }),
      ({ queue }, attempts) => queue.add('a', 1, { attempts }),
      ({ queue }, priority) => queue.add('a', 1, { group: { id: 'g', priority } }),
      ({ queue }, maxSize) => queue.add('a', 1, { group: { id: 'g', maxSize } }),
      ({ queue }, every) => queue.upsertJobScheduler('s', { every }),
      ({ queue }, concurrency) => queue.setGroupDefaults({ concurrency }),
      ({ queue }, max) => queue.setGroupDefaults({ limit: { max, duration: 1 } }),
      ({ queue }, limit) => queue.getDlq({ limit }),
      ({ queue }, limit) => queue.replayDlq({ limit }),
      ({ queue }, limit) => queue.dropDlq({ all: true, limit }),
      ({ queue }, count) => queue.obliterate({ count }),
      ({ queue }, count) => queue.promoteJobs({ count }),
      ({ queue }, count) => queue.retryJobs({ count }),
      ({ job }, priority) => job.changePriority({ priority }),
    ],
  },
};

/** What Redis has, but for what says when. */
async function state(): Promise<string[]> {
  const keys = (await redis.keys()).filter((key) => !/:(calls|worker):/.test(key)).sort();
  return Promise.all(
    keys.map(async (key) => `${key} ${(await redis.client.dumpBuffer(key)).toString('hex')}`),
  );
}

describe('a wrong argument', () => {
  test('is refused with the class that the rule says, and changes nothing', async () => {
    const queue = redis.queue({ trackJobs: true });
    const worker = redis.worker(() => undefined, { autorun: false });
    const job = await queue.add('a', 1, { jobId: 'j', delay: 3_600_000, group: { id: 'g' } });
    await redis.client.xadd('{chasqui:mail}:dlq', '*', 'd', 'x');
    const before = await state();
    const wrong: string[] = [];
    for (const [what, { refused, calls }] of Object.entries(CALLS)) {
      for (const [Class, values] of refused) {
        for (const [call, value] of calls.flatMap((each) => values.map((one) => [each, one] as const))) {
          const error = await rejection((async () => call({ queue, worker, job }, value as never))());
          if (error instanceof Class && error.code === 'CMQ-004') continue;
          const got = `${error.constructor.name} ${String(error.code)} ${error.message}`;
          wrong.push(`${what}: ${call.toString()} of ${typeof value} ${String(value)}: ${got}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(await state()).toEqual(before);
  });

  test('is none: a grace that is not whole', async () => {
    const queue = redis.queue();
    await redis.client.xadd('{chasqui:mail}:dlq', '1-1', 'd', 'x');
    await queue.add('a', 1);
    for (const type of ['completed', 'delayed', 'wait', 'prioritized'] as const) {
      expect(await queue.clean(3_600_000.5, 0, type)).toEqual([]);
    }
    expect(await queue.clean(1.5, 0, 'failed')).toHaveLength(1);
    expect(await queue.count()).toBe(1);
  });
});
