import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandLink } from '../../lib/engine/connection/command-link.js';
import { encodeEnvelope } from '../../lib/engine/codec/write-envelope.js';
import { ConfigError, messageOf } from '../../lib/engine/base/errors.js';
import { decodePayload, encodePayload } from '../../lib/engine/codec/payload.js';
import { RepeatPattern } from '../../lib/engine/timers/repeat/pattern.js';
import { readSchedules, removeSchedule } from '../../lib/engine/timers/repeat/schedules.js';
import type { StoreResult } from '../../lib/engine/timers/repeat/schedules.js';
import type { RepeatableSpec } from '../../lib/engine/timers/repeat/stored-schedule.js';
import { createSchedulerPoll } from '../../lib/engine/timers/scheduler.js';
import { useRedis } from '../support/redis.js';
import { Rig, START, keys, store } from './repeat-support.js';

const redis = useRedis();
let rig: Rig;
let link: CommandLink;

beforeEach(async () => {
  rig = new Rig(redis);
  link = await rig.link();
});
afterEach(() => {
  rig.close();
});

const SECOND = 1_000;
const every = (given: Partial<RepeatableSpec> = {}): RepeatableSpec => ({
  jobName: 'digest',
  pattern: RepeatPattern.every(10 * SECOND),
  payload: { to: 'all' },
  ...given,
});

function upsert(spec: RepeatableSpec, on = link): Promise<StoreResult> {
  return store(on, spec, rig.clock);
}

/** All that Redis stores about schedules. */
async function stored(): Promise<unknown> {
  const set = await redis.client.zrange(keys.repeat, '0', '-1', 'WITHSCORES');
  const names = (await redis.client.keys(`${keys.repeatSpec('')}*`)).sort();
  return [set, await Promise.all(names.map((name) => redis.client.hgetallBuffer(name)))];
}

describe('storing', () => {
  it('has its first fire one interval later, under a key of name and signature', async () => {
    expect(await upsert(every())).toEqual({
      key: 'digest::every:10000',
      outcome: 'started',
      nextFireMs: START + 10 * SECOND,
      fired: 0,
      storedMs: expect.any(Number) as number,
    });
    expect(await readSchedules(link, keys, 10)).toEqual([
      {
        key: 'digest::every:10000',
        jobName: 'digest',
        pattern: RepeatPattern.every(10 * SECOND),
        nextFireMs: START + 10 * SECOND,
        fired: 0,
        missedFires: { kind: 'skip' },
        skipIfRunning: false,
      },
    ]);
  });

  it('starts at the time of Redis’s clock', async () => {
    const [before] = await redis.client.time();
    const { nextFireMs } = await store(link, every());
    const [after] = await redis.client.time();
    expect(nextFireMs).toBeGreaterThanOrEqual((Number(before) + 10) * SECOND);
    expect(nextFireMs).toBeLessThan((Number(after) + 11) * SECOND);
  });

  it('changes nothing when replicas store an unchanged schedule again', async () => {
    const spec = every({
      limit: 5,
      attempts: 3,
      backoff: 100,
      missedFires: { kind: 'fire-all', maxCatchup: 3 },
    });
    await upsert(spec);
    rig.clock.time += 10 * SECOND;
    await rig.scheduler(link)(false, []);
    const before = await stored();
    rig.clock.time += 3 * SECOND;
    const replicas = await Promise.all(Array.from({ length: 5 }, () => rig.link()));
    const calls = replicas.flatMap((replica) => [upsert(spec, replica), upsert({ ...spec }, replica)]);
    for (const reply of await Promise.all(calls)) {
      expect(reply).toMatchObject({ outcome: 'unchanged', nextFireMs: START + 20 * SECOND, fired: 1 });
    }
    expect(await stored()).toEqual(before);
  });

  it('starts once when replicas store it at the same time', async () => {
    const replicas = await Promise.all(Array.from({ length: 5 }, () => rig.link()));
    const replies = await Promise.all(replicas.map((replica) => upsert(every(), replica)));
    expect(replies.filter(({ outcome }) => outcome === 'started')).toHaveLength(1);
    expect(new Set(replies.map(({ nextFireMs }) => nextFireMs)).size).toBe(1);
  });

  it('starts anew when its times change', async () => {
    const key = 'mine';
    await upsert(every({ key }));
    rig.clock.time += 10 * SECOND;
    await rig.scheduler(link)(false, []);
    rig.clock.time += 3 * SECOND;
    const changed = every({ key, pattern: RepeatPattern.every(60 * SECOND) });
    expect(await upsert(changed)).toEqual({
      key,
      outcome: 'started',
      nextFireMs: START + 73 * SECOND,
      fired: 0,
      storedMs: expect.any(Number) as number,
    });
    expect(await upsert({ ...changed, limit: 3 })).toMatchObject({ outcome: 'started' });
    expect(await upsert({ ...changed, limit: 3, startAfterMs: START + 90 * SECOND })).toMatchObject({
      outcome: 'started',
      nextFireMs: START + 150 * SECOND,
    });
    expect(await redis.client.zcard(keys.repeat)).toBe(1);
  });

  it('keeps its next fire and its count when its job changes', async () => {
    await upsert(every());
    rig.clock.time += 10 * SECOND;
    await rig.scheduler(link)(false, []);
    rig.clock.time += 3 * SECOND;
    const changes: Partial<RepeatableSpec>[] = [
      { payload: { to: 'some' } },
      { attempts: 7 },
      { skipIfRunning: true },
      { missedFires: { kind: 'fire-once' } },
    ];
    for (const change of changes) {
      expect(await upsert(every(change))).toMatchObject({
        outcome: 'updated',
        nextFireMs: START + 20 * SECOND,
        fired: 1,
      });
    }
  });

  it('wakes the scheduler when it becomes the earliest, and only then', async () => {
    const wakes = async (): Promise<unknown[]> =>
      (await redis.client.xrange(keys.schedulerWake, '-', '+')).map(([, fields]) => fields);
    await upsert(every({ key: 'a' }));
    expect(await wakes()).toEqual([['due', String(START + 10 * SECOND)]]);
    await upsert(every({ key: 'b', pattern: RepeatPattern.every(11 * SECOND) }));
    await upsert(every({ key: 'a' }));
    expect(await wakes()).toEqual([['due', String(START + 10 * SECOND)]]);
    await upsert(every({ key: 'c', pattern: RepeatPattern.every(9 * SECOND) }));
    expect(await wakes()).toEqual([['due', String(START + 9 * SECOND)]]);
  });

  it('refuses a schedule that never fires, or is over', async () => {
    await expect(upsert(every({ endBeforeMs: START - 1 }))).rejects.toThrow(
      /endDate 2025-12-31T23:59:59.999Z.*past/,
    );
    await expect(upsert(every({ endBeforeMs: START + 9_999 }))).rejects.toThrow('would never fire');
    await expect(upsert(every({ pattern: RepeatPattern.cron('0 0 31 2 *') }))).rejects.toThrow(
      'would never fire',
    );
    await expect(upsert(every({ key: 'k'.repeat(481) }))).rejects.toThrow(ConfigError);
    await expect(upsert(every({ limit: 0 }))).rejects.toThrow('"limit"');
    await expect(upsert(every({ missedFires: { kind: 'fire-all', maxCatchup: 0 } }))).rejects.toThrow(
      'missedFires',
    );
    expect(await redis.client.dbsize()).toBe(0);
  });
});

describe('listing and removing', () => {
  it('lists by the next fire, with every option, and no payload', async () => {
    await upsert(every({ key: 'late', pattern: RepeatPattern.cron('0 8 * * *', 'Europe/Madrid') }));
    await upsert(
      every({
        key: 'soon',
        limit: 3,
        startAfterMs: START + 5,
        endBeforeMs: START + 99 * SECOND,
        missedFires: { kind: 'fire-all', maxCatchup: 4 },
        skipIfRunning: true,
      }),
    );
    expect(await readSchedules(link, keys, 10)).toEqual([
      {
        key: 'soon',
        jobName: 'digest',
        pattern: RepeatPattern.every(10 * SECOND),
        nextFireMs: START + 10 * SECOND + 5,
        fired: 0,
        limit: 3,
        startAfterMs: START + 5,
        endBeforeMs: START + 99 * SECOND,
        missedFires: { kind: 'fire-all', maxCatchup: 4 },
        skipIfRunning: true,
      },
      expect.objectContaining({ key: 'late', nextFireMs: START + 7 * 3600 * SECOND }),
    ]);
    expect(await readSchedules(link, keys, 1)).toHaveLength(1);
  });

  it('removes for good, once', async () => {
    const { key } = await upsert(every());
    expect(await removeSchedule(link, keys, key)).toBe('removed');
    expect(await removeSchedule(link, keys, key)).toBe('absent');
    expect(await redis.client.exists(keys.repeat, keys.repeatSpec(key))).toBe(0);
    rig.clock.time += 60 * SECOND;
    await rig.scheduler(link)(false, []);
    expect(await rig.fired()).toEqual([]);
  });
});

describe('firing', () => {
  it('adds the same job as a producer, and announces it', async () => {
    const payload = { text: 'ñ'.repeat(40_000), at: new Date(START) };
    await upsert(
      every({ jobName: 'día', payload, attempts: 4, backoff: { type: 'exponential', delay: 2_000_000_000 } }),
    );
    rig.clock.time += 10 * SECOND;
    await rig.scheduler(link)(false, []);

    const [job] = await rig.fired();
    expect(job).toMatchObject({
      id: `repeat:día::every:10000:${START + 10 * SECOND}`,
      name: 'día',
      attempt: 0,
      keep: undefined,
      retry: { maxAttempts: 4, backoff: { kind: 'exponential', delayMs: 2_000_000_000 } },
    });
    expect(decodePayload(job!.payload)).toEqual(payload);
    expect(Math.abs(job!.createdAtMs - Date.now())).toBeLessThan(60 * SECOND);
    const [[, entry]] = (await redis.client.xrangeBuffer(keys.stream, '-', '+')) as [[Buffer, Buffer[]]];
    expect(entry[1]).toEqual(encodeEnvelope(job!));
    const events = await redis.client.xrange(keys.events, '-', '+');
    expect(events.map(([, fields]) => fields)).toEqual([
      ['e', 'waiting', 'id', job!.id, 'ts', expect.any(String), 'n', 'día'],
    ]);
  });

  it.each([0, 255, 256, 65_535, 65_536])(
    'writes a payload of %i bytes as the envelope does',
    async (size) => {
      const payload = Buffer.alloc(size, 7);
      await upsert(every({ jobName: '', key: 'k'.repeat(size % 400 || 5), payload }));
      rig.clock.time += 10 * SECOND;
      await rig.scheduler(link, { eventsCap: 0 })(false, []);
      const [[, entry]] = (await redis.client.xrangeBuffer(keys.stream, '-', '+')) as [[Buffer, Buffer[]]];
      const [job] = await rig.fired();
      expect(job!.payload).toEqual(encodePayload(payload));
      expect(entry).toEqual([Buffer.from('d'), encodeEnvelope(job!)]);
      expect(await redis.client.exists(keys.events)).toBe(0);
    },
  );

  it('fires each slot once, on the grid of the first', async () => {
    await upsert(every());
    const poll = rig.scheduler(link);
    for (let i = 0; i < 40; i++) {
      rig.clock.time += SECOND;
      await poll(false, []);
    }
    expect(await rig.slots()).toEqual([10_000, 20_000, 30_000, 40_000]);
    expect(await readSchedules(link, keys, 1)).toMatchObject([{ nextFireMs: START + 50 * SECOND, fired: 4 }]);
  });

  it('fires all slots between two polls of one leader, under any policy', async () => {
    await upsert(every({ pattern: RepeatPattern.every(100) }));
    const poll = rig.scheduler(link);
    await poll(false, []);
    rig.clock.time += SECOND;
    await poll(false, []);
    expect(await rig.slots()).toEqual(Array.from({ length: 10 }, (_, i) => (i + 1) * 100));
  });

  it('continues where a leader that resigned has stopped', async () => {
    await upsert(every({ pattern: RepeatPattern.every(100) }));
    await rig.scheduler(link)(false, []);
    await redis.client.del(keys.schedulerLock);
    rig.clock.time += SECOND;
    expect(await rig.scheduler(link)(false, [])).toMatchObject({ leads: true });
    expect(await rig.slots()).toEqual(Array.from({ length: 10 }, (_, i) => (i + 1) * 100));
  });

  it('says for how long another scheduler leads', async () => {
    await upsert(every({}));
    await rig.scheduler(link)(false, []);
    const look = await rig.scheduler(link)(false, []);
    expect(look).toMatchObject({ leads: false, nextDue: undefined });
    expect(look.ledForMs).toBeGreaterThan(0);
    expect(look.ledForMs).toBeLessThanOrEqual(5 * SECOND);
  });

  it('stops at the limit, and removes the schedule', async () => {
    const { key } = await upsert(every({ limit: 3 }));
    const poll = rig.scheduler(link);
    for (let i = 0; i < 6; i++) {
      rig.clock.time += 10 * SECOND;
      await poll(false, []);
    }
    expect(await rig.slots()).toEqual([10_000, 20_000, 30_000]);
    expect(await redis.client.exists(keys.repeat, keys.repeatSpec(key))).toBe(0);
  });

  it('stops at the limit while it catches up on missed slots', async () => {
    await upsert(every({ limit: 3, missedFires: { kind: 'fire-all', maxCatchup: 100 } }));
    rig.clock.time += 1000 * SECOND;
    await rig.scheduler(link)(false, []);
    expect(await rig.slots()).toEqual([10_000, 20_000, 30_000]);
    expect(await readSchedules(link, keys, 10)).toEqual([]);
  });

  it('keeps within start and end, both included', async () => {
    const { key } = await upsert(
      every({
        pattern: RepeatPattern.cron('*/10 * * * * *'),
        startAfterMs: START + 20 * SECOND,
        endBeforeMs: START + 40 * SECOND,
      }),
    );
    const poll = rig.scheduler(link);
    for (let i = 0; i < 60; i++) {
      rig.clock.time += SECOND;
      await poll(false, []);
    }
    expect(await rig.slots()).toEqual([20_000, 30_000, 40_000]);
    expect(await redis.client.exists(keys.repeat, keys.repeatSpec(key))).toBe(0);
  });

  it('says when to poll again: at the next slot, but not sooner than a tick', async () => {
    await upsert(every());
    await upsert(every({ key: 'often', pattern: RepeatPattern.every(50) }));
    const poll = rig.scheduler(link, { tickIntervalMs: SECOND });
    rig.clock.time += 10;
    expect(await poll(false, [])).toMatchObject({ leads: true, nextDue: START + 10 + SECOND });
    await removeSchedule(link, keys, 'often');
    expect(await poll(false, [])).toMatchObject({ nextDue: START + 10 * SECOND });
    await removeSchedule(link, keys, 'digest::every:10000');
    expect(await poll(false, [])).toMatchObject({ nextDue: undefined });
  });
});

describe('missed fires', () => {
  it.each([
    [{ kind: 'skip' }, []],
    [{ kind: 'fire-once' }, [10_000]],
    [{ kind: 'fire-all', maxCatchup: 3 }, [10_000, 20_000, 30_000]],
    [{ kind: 'fire-all', maxCatchup: 9 }, [10_000, 20_000, 30_000, 40_000, 50_000]],
  ] as const)('%j', async (missedFires, slots) => {
    await upsert(every({ missedFires }));
    rig.clock.time += 55 * SECOND;
    const poll = rig.scheduler(link);
    await poll(false, []);
    expect(await rig.slots()).toEqual(slots);
    rig.clock.time += 5 * SECOND;
    await poll(false, []);
    expect(await rig.slots()).toEqual([...slots, 60_000]);
  });

  it('fires a single slot late if it came while no leader polled', async () => {
    await upsert(every());
    rig.clock.time += 19 * SECOND;
    await rig.scheduler(link)(false, []);
    expect(await rig.slots()).toEqual([10_000]);
  });

  it('applies to schedules that a later poll or a later leader reads', async () => {
    for (let i = 0; i < 30; i++) await upsert(every({ key: `spec ${i}` }));
    rig.clock.time += 55 * SECOND;
    const [first, second] = [rig.settings(link, { batch: 10 }), rig.settings(link, { batch: 7 })];
    expect(await createSchedulerPoll(first)(false, [])).toMatchObject({ more: true });
    rig.clock.time += 2 * SECOND;
    const poll = createSchedulerPoll(second);
    let found = await poll(true, []);
    while (found.more) found = await poll(false, []);
    expect(await rig.slots()).toEqual([]);
    rig.clock.time += 3 * SECOND;
    await rig.scheduler(link)(true, []);
    expect(await rig.slots()).toEqual(Array.from({ length: 30 }, () => 60_000));
  });

  it('catches up on more slots than one poll fires, up to the bound', async () => {
    await upsert(
      every({ pattern: RepeatPattern.every(1), missedFires: { kind: 'fire-all', maxCatchup: 1_234 } }),
    );
    rig.clock.time += 5 * SECOND;
    await rig.scheduler(link)(false, []);
    expect(await rig.slots()).toEqual(Array.from({ length: 1_234 }, (_, i) => i + 1));
    expect(await readSchedules(link, keys, 1)).toMatchObject([{ nextFireMs: START + 5_001, fired: 1_234 }]);
    expect(await redis.client.hget(keys.repeatSpec('digest::every:1'), 'owed')).toBeNull();
  });
});

describe('skipIfRunning', () => {
  const id = 'repeat:digest::every:10000';
  const finish = async (): Promise<void> => {
    await redis.client.xtrim(keys.stream, 'MAXLEN', 0);
    await redis.client.pexpire(keys.dedup(id), 60_000);
  };

  it('skips slots while a job of the schedule is unfinished', async () => {
    await upsert(every({ skipIfRunning: true, limit: 3 }));
    const poll = rig.scheduler(link);
    const tick = async (): Promise<void> => {
      rig.clock.time += 10 * SECOND;
      await poll(false, []);
    };
    await tick();
    expect(await rig.fired()).toMatchObject([{ id, keep: '1' }]);
    expect(await redis.client.get(keys.dedup(id))).toMatch(/^1:\d+-\d+$/);
    await tick();
    await tick();
    expect(await rig.fired()).toHaveLength(1);
    // What passes has been dealt with, but is no fire.
    expect(await readSchedules(link, keys, 1)).toMatchObject([{ nextFireMs: START + 40 * SECOND, fired: 1 }]);
    await finish();
    await tick();
    expect(await rig.fired()).toHaveLength(1);
    expect(await redis.client.pttl(keys.dedup(id))).toBe(-1);
    // Delayed for a retry: in the delayed set, not in the stream.
    await redis.client.xtrim(keys.stream, 'MAXLEN', 0);
    await redis.client.set(keys.delayedIndex(id), 'member');
    await redis.client.zadd(keys.delayed, 1e15, 'member');
    await tick();
    expect(await rig.fired()).toHaveLength(0);
    // Nor does a job that is nowhere keep the spec from firing.
    await redis.client.del(keys.delayed);
    await tick();
    expect(await rig.fired()).toHaveLength(1);
  });

  it('fires one of several due slots', async () => {
    await upsert(every({ skipIfRunning: true, missedFires: { kind: 'fire-all', maxCatchup: 10 } }));
    rig.clock.time += 55 * SECOND;
    await rig.scheduler(link)(false, []);
    expect(await rig.fired()).toHaveLength(1);
  });

  it('does not wait for a job that somebody deleted', async () => {
    await upsert(every({ skipIfRunning: true }));
    const poll = rig.scheduler(link);
    rig.clock.time += 10 * SECOND;
    await poll(false, []);
    await redis.client.del(keys.stream);
    rig.clock.time += 10 * SECOND;
    await poll(false, []);
    expect(await rig.fired()).toHaveLength(1);
  });
});

describe('what others left in the keys', () => {
  it('drops a schedule without a hash, and delays one that cannot be read, so that the others fire', async () => {
    await redis.client.zadd(
      keys.repeat,
      String(START),
      'orphan',
      String(START),
      'foreign',
      String(START),
      'future',
    );
    await redis.client.hset(keys.repeatSpec('foreign'), 'spec', 'bytes');
    await redis.client.hset(keys.repeatSpec('future'), {
      revision: 'r',
      pattern: '* * * * *',
      tz: 'Mars/Olympus',
    });
    await upsert(every());
    rig.clock.time += 10 * SECOND;
    await rig.scheduler(link, { batch: 1 })(false, []);
    expect(await rig.slots()).toEqual([10_000]);
    expect(rig.errors.map((error) => (error as ConfigError).code)).toEqual(['CMQ-004', 'CMQ-004']);
    const messages = rig.errors.map(messageOf).sort().join('\n');
    expect(messages).toMatch(/"foreign" cannot be fired.*\n.*"future" cannot be fired.*Mars\/Olympus/);
    expect(await redis.client.zrange(keys.repeat, '0', '-1')).not.toContain('orphan');
    expect(await redis.client.zmscore(keys.repeat, 'future', 'foreign')).toEqual(
      Array.from({ length: 2 }, () => String(START + 70 * SECOND)),
    );
    expect((await readSchedules(link, keys, 10)).map(({ key }) => key)).toEqual(['digest::every:10000']);
  });

  it('leaves the schedule as it is when the job cannot be added', async () => {
    await upsert(every());
    await redis.client.set(keys.stream, 'not a stream');
    const before = await stored();
    rig.clock.time += 10 * SECOND;
    await expect(rig.scheduler(link)(false, [])).rejects.toThrow('WRONGTYPE');
    expect(await stored()).toEqual(before);
    await redis.client.del(keys.stream);
    await rig.scheduler(link)(true, []);
    expect(await rig.slots()).toEqual([10_000]);
  });
});

describe('large payloads', () => {
  const payload = Buffer.alloc(900_000, 7);
  const added = (): Promise<number> => redis.client.xlen(keys.stream);

  it('of one schedule: a poll fires few of the missed slots, and the next polls fire the others', async () => {
    await upsert(every({ payload, missedFires: { kind: 'fire-all', maxCatchup: 9 } }));
    rig.clock.time += 90 * SECOND;
    const poll = createSchedulerPoll(rig.settings(link));
    expect(await poll(false, [])).toMatchObject({ more: true });
    expect(await added()).toBe(4);
    expect(await poll(false, [])).toMatchObject({ more: true });
    expect(await poll(false, [])).toMatchObject({ more: false });
    expect(await rig.slots()).toEqual(Array.from({ length: 9 }, (_, i) => (i + 1) * 10_000));
  });

  it('of several schedules: a poll fires all of them, with few in each call', async () => {
    for (let i = 0; i < 9; i++) await upsert(every({ key: String(i), payload }));
    rig.clock.time += 10 * SECOND;
    const fires: number[] = [];
    const run = link.run.bind(link);
    vi.spyOn(link, 'run').mockImplementation(async (...args) => {
      const before = await added();
      const reply = await run(...args);
      if (args[0] === 'fire-schedules') fires.push((await added()) - before);
      return reply;
    });
    await createSchedulerPoll(rig.settings(link))(false, []);
    expect(fires).toEqual([4, 4, 1]);
  });
});
