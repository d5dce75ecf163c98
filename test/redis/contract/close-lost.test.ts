import { expect, test } from 'vitest';
import { KEYS, eventually, useKit } from './kit.js';
import { takeAs } from './starts-kit.js';

const redis = useKit();

test.each([
  ['plain', {}],
  ['with a priority', { priority: 1 }],
])(
  'a job that was delivered to a worker and never arrived is there for others at once when that worker closes: %s',
  async (_, opts) => {
    const closing = redis.worker(() => undefined);
    await closing.waitUntilReady();
    await closing.pause();
    const queue = redis.queue();
    await queue.addBulk(
      Array.from({ length: 250 }, (_, i) => ({ name: 'job', data: i, opts: { attempts: 1, ...opts } })),
    );
    // Redis delivers them to the worker, on a connection that is gone.
    const [[, consumer]] = (await redis.client.xinfo('CONSUMERS', KEYS.stream, 'default')) as [
      [string, string],
    ];
    const { jobs } = await takeAs(redis, consumer, 250);
    expect(jobs).toBe(250);
    await closing.close();
    expect(await queue.getActiveCount()).toBe(0);
    const ran: number[] = [];
    redis.worker(({ attemptsMade }) => {
      ran.push(attemptsMade);
    });
    await eventually(() => {
      expect(ran.length).toBe(250);
    });
    expect(ran).toEqual(Array(250).fill(1));
  },
);
