import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CommandLink } from '../../lib/engine/connection/command-link.js';
import { DueLoop } from '../../lib/engine/timers/due-loop.js';
import { RepeatPattern } from '../../lib/engine/timers/repeat/pattern.js';
import { pauseSchedule, resumeSchedule } from '../../lib/engine/timers/repeat/job-schedulers.js';
import { removeSchedule } from '../../lib/engine/timers/repeat/schedules.js';
import type { RepeatableSpec } from '../../lib/engine/timers/repeat/stored-schedule.js';
import { createScheduler, createSchedulerPoll } from '../../lib/engine/timers/scheduler.js';
import { waitUntil } from '../../lib/testing/server/wait-until.js';
import { useRedis } from '../support/redis.js';
import { Rig, START, keys, store } from './repeat-support.js';

const redis = useRedis();
let rig: Rig;

beforeEach(() => {
  rig = new Rig(redis);
});
afterEach(() => {
  rig.close();
});

const MINUTE = 60_000;

async function registerAll(specs: readonly RepeatableSpec[]): Promise<void> {
  const link = await rig.link();
  for (let from = 0; from < specs.length; from += 1_000) {
    const slice = specs.slice(from, from + 1_000);
    await Promise.all(slice.map((spec) => store(link, spec, rig.clock)));
  }
}

/** The commands that the server carries out during `work`, by name. */
async function commandsDuring(work: () => Promise<unknown>): Promise<Record<string, number>> {
  await redis.client.config('RESETSTAT');
  await work();
  const stats = await redis.client.info('commandstats');
  const counted = [...stats.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)];
  return Object.fromEntries(counted.map(([, name, calls]) => [name!, Number(calls)]));
}

describe('10,000 schedules', () => {
  const specs = Array.from({ length: 10_000 }, (_, i): RepeatableSpec => {
    return { key: `spec ${i}`, jobName: 'tick', pattern: RepeatPattern.every(MINUTE + i), payload: null };
  });

  it('cost nothing while none is due, and only the due ones cost something', async () => {
    await registerAll(specs);
    const poll = rig.scheduler(await rig.link());
    await poll(false, []);
    const idle = await commandsDuring(() => poll(false, []));
    expect(idle).toEqual({
      evalsha: 1,
      exists: 1,
      zrangebyscore: 1,
      zrange: 1,
      get: 2,
      set: 2,
    });
    rig.clock.time += MINUTE + 2;
    const due = await commandsDuring(() => poll(false, []));
    expect(due).toMatchObject({ evalsha: 2, hmget: 6, xadd: 6, zadd: 3 });
    expect(await rig.slots()).toEqual([MINUTE, MINUTE + 1, MINUTE + 2]);
  });
});

/** Dies like a process after kill -9, after a number of script calls. The last call is carried out or not. */
class MortalLink extends CommandLink {
  calls = Infinity;
  lastIsCarriedOut = false;

  override async run(...args: Parameters<CommandLink['run']>): Promise<unknown> {
    if (this.calls <= 0) throw new Error('killed');
    this.calls -= 1;
    if (this.calls > 0) return super.run(...args);
    if (this.lastIsCarriedOut) await super.run(...args);
    throw new Error('killed');
  }
}

interface Member {
  link: MortalLink;
  poll: ReturnType<Rig['scheduler']>;
}

describe('five schedulers', () => {
  /** The ids for all slots from START to `end`. */
  function expectedIds(specs: readonly RepeatableSpec[], end: number): string[] {
    return specs.flatMap(({ key, pattern }) => {
      const ids: string[] = [];
      for (let slot = pattern.next(START); slot !== undefined && slot <= end; slot = pattern.next(slot)) {
        ids.push(`repeat:${key ?? ''}:${slot}`);
      }
      return ids;
    });
  }

  it(
    'fire each slot of each schedule once, even if leaders are killed mid-tick',
    { timeout: 60_000 },
    async () => {
      const patterns = [
        RepeatPattern.every(7 * MINUTE),
        RepeatPattern.every(10 * MINUTE),
        RepeatPattern.cron('*/20 * * * *', 'Australia/Lord_Howe'),
        RepeatPattern.cron('5,35 * * * *', '+05:30'),
      ];
      const specs = Array.from({ length: 2_000 }, (_, i): RepeatableSpec => {
        const pattern = patterns[i % patterns.length]!;
        return {
          key: `spec ${i}`,
          jobName: 'tick',
          pattern,
          payload: i,
          missedFires: { kind: 'fire-all', maxCatchup: 100 },
        };
      });
      await registerAll(specs);

      const recruit = (): Member => {
        const link = new MortalLink({ ...redis.connection });
        return { link, poll: rig.scheduler(link, { batch: 300 }) };
      };
      const crew = Array.from({ length: 5 }, recruit);
      let killedMidTick = 0;
      try {
        for (let step = 0; step < 12; step++) {
          // The last but one step is downtime.
          rig.clock.time += step === 10 ? 60 * MINUTE : 5 * MINUTE;
          const { link } = crew[step % 5]!;
          link.calls = 2 + (step % 3);
          link.lastIsCarriedOut = step % 2 === 0;
          // All poll at once, and each takes the lead.
          const polls = await Promise.allSettled(crew.map(({ poll }) => poll(true, [])));
          if (polls[step % 5]?.status === 'rejected') killedMidTick += 1;
          link.release();
          crew[step % 5] = recruit();
          await redis.client.del(keys.schedulerLock, `${keys.prefix}scheduler:gap`);
        }
        await crew[0]!.poll(true, []);
      } finally {
        for (const { link } of crew) link.release();
      }
      expect(killedMidTick).toBeGreaterThan(7);
      const ids = (await rig.fired()).map(({ id }) => id);
      expect(ids.sort()).toEqual(expectedIds(specs, rig.clock.time).sort());
    },
  );

  it('share the work of one leader: the others do nothing', async () => {
    await registerAll([{ jobName: 'tick', pattern: RepeatPattern.every(MINUTE), payload: null }]);
    const crew = await Promise.all(Array.from({ length: 5 }, async () => rig.scheduler(await rig.link())));
    rig.clock.time += MINUTE;
    const polls = await Promise.all(crew.map((poll) => poll(false, [])));
    expect(polls.filter(({ leads }) => leads)).toHaveLength(1);
    expect(await rig.fired()).toHaveLength(1);
  });
});

/** Calls `beforeFire` right before a planned fire is sent. */
class InterruptedLink extends CommandLink {
  beforeFire = (): Promise<unknown> => Promise.resolve();

  override async run(...args: Parameters<CommandLink['run']>): Promise<unknown> {
    if (args[0] === 'fire-schedules') await this.beforeFire();
    return super.run(...args);
  }
}

describe('between the plan and the fire', () => {
  const SECOND = 1_000;
  const key = 'mine';
  const spec = { key, jobName: 'tick', pattern: RepeatPattern.cron('*/10 * * * * *'), payload: 1 };
  let link: InterruptedLink;

  beforeEach(async () => {
    link = new InterruptedLink({ ...redis.connection });
    await store(link, spec, rig.clock);
    rig.clock.time += 10 * SECOND;
  });
  afterEach(() => {
    link.release();
  });

  it('a schedule that was replaced is not fired by the old plan', async () => {
    const changed = { ...spec, pattern: RepeatPattern.cron('*/2 * * * * *') };
    link.beforeFire = () => {
      link.beforeFire = () => Promise.resolve();
      // Its next slot is the same, but later slots differ.
      return store(link, changed, { now: () => START + 9 * SECOND });
    };
    const poll = createSchedulerPoll(rig.settings(link));
    expect(await poll(false, [])).toMatchObject({ more: true });
    expect(await rig.slots()).toEqual([]);
    expect(await poll(false, [])).toMatchObject({ more: false });
    expect(await rig.slots()).toEqual([10_000]);
    expect(await redis.client.zscore(keys.repeat, key)).toBe(String(START + 12 * SECOND));
  });

  it('a schedule that was paused is not fired, and one that was resumed fires its next slot', async () => {
    link.beforeFire = () => {
      link.beforeFire = () => Promise.resolve();
      return pauseSchedule(link, keys, key);
    };
    await rig.scheduler(link)(false, []);
    expect(await rig.slots()).toEqual([]);
    rig.clock.time += 25 * SECOND;
    await rig.scheduler(link)(true, []);
    expect(await rig.slots()).toEqual([]);
    // By Redis's clock, which is far ahead of the clock of this test.
    await resumeSchedule(link, keys, key);
    const slot = Number(await redis.client.zscore(keys.repeat, key));
    rig.clock.time = slot;
    await rig.scheduler(link)(true, []);
    expect(await rig.slots()).toEqual([slot - START]);
  });

  it('a schedule that was removed is not fired', async () => {
    link.beforeFire = () => removeSchedule(link, keys, key);
    await rig.scheduler(link)(false, []);
    expect(await redis.client.exists(keys.stream, keys.repeat, keys.repeatSpec(key))).toBe(0);
  });

  it('a fire that is sent twice is carried out once', async () => {
    let sent: Parameters<CommandLink['run']> | undefined;
    const run = link.run.bind(link);
    vi.spyOn(link, 'run').mockImplementation(async (...args) => {
      if (args[0] === 'fire-schedules') sent = args;
      return run(...args);
    });
    await rig.scheduler(link)(false, []);
    expect(await run(...sent!)).toEqual([-1]);
    expect(await rig.slots()).toEqual([10_000]);
  });
});

describe('a scheduler at work', () => {
  const loops: DueLoop[] = [];
  afterEach(async () => {
    await Promise.all(loops.splice(0).map((loop) => loop.stop(1_000)));
  });

  const start = async (): Promise<DueLoop> => {
    const settings = rig.settings(await rig.link(), { clock: undefined, lockTtlMs: 300 });
    const loop = createScheduler(settings);
    loops.push(loop);
    await loop.start();
    return loop;
  };
  const fired = (): Promise<number> => redis.client.xlen(keys.stream);
  const untilFired = (count: number): Promise<void> =>
    waitUntil('the jobs', 5_000, async () => ((await fired()) < count ? `only ${await fired()}` : undefined));

  it('sleeps until a schedule is due by Redis’s clock, and wakes for one that is stored meanwhile', async () => {
    const link = await rig.link();
    const loop = await start();
    const spec = { jobName: 'tick', pattern: RepeatPattern.every(40), payload: null };
    const { nextFireMs } = await store(link, spec);
    loop.wake({ due: nextFireMs });
    await untilFired(5);
    const jobs = await rig.fired();
    const slots = jobs.map(({ id }) => Number(id.split(':').at(-1)));
    expect(slots).toEqual(slots.map((_, i) => nextFireMs + i * 40));
    for (const [i, { createdAtMs }] of jobs.entries()) {
      expect(createdAtMs).toBeGreaterThanOrEqual(slots[i]!);
    }
    expect(rig.errors).toEqual([]);
  });

  it('is replaced by another scheduler when it stops', async () => {
    const link = await rig.link();
    const first = await start();
    const spec = { jobName: 'tick', pattern: RepeatPattern.every(20), payload: null };
    const { nextFireMs } = await store(link, spec);
    first.wake({ due: nextFireMs });
    await untilFired(2);
    await start();
    await first.stop(1_000);
    await untilFired((await fired()) + 3);
    const ids = (await rig.fired()).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
