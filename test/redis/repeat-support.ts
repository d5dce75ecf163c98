import { CommandLink } from '../../lib/engine/connection/command-link.js';
import { decodeEnvelope } from '../../lib/engine/codec/read-envelope.js';
import type { Envelope } from '../../lib/engine/codec/envelope.js';
import { queueKeys } from '../../lib/redis/keys.js';
import type { QueueKeys } from '../../lib/redis/keys.js';
import { createSchedulerPoll } from '../../lib/engine/timers/scheduler.js';
import type { SchedulerSettings } from '../../lib/engine/timers/scheduler.js';
import type { Clock } from '../../lib/engine/base/clock.js';
import { storeSchedule } from '../../lib/engine/timers/repeat/schedules.js';
import type { StoreResult } from '../../lib/engine/timers/repeat/schedules.js';
import { encodeSchedule } from '../../lib/engine/timers/repeat/stored-schedule.js';
import type { RepeatableSpec } from '../../lib/engine/timers/repeat/stored-schedule.js';
import type { TestRedis } from '../support/redis.js';

export const keys: QueueKeys = queueKeys('reports');

/** 2026-01-01, on the hour. */
export const START = Date.UTC(2026, 0, 1);

/** A clock that stands still until the test moves it. */
export class HandClock {
  time = START;
  now = (): number => this.time;
}

export interface Fired extends Envelope {
  name: string | undefined;
  keep: string | undefined;
}

/** Stores a schedule. Without `clock`, its first fire is by Redis's clock. */
export async function store(
  link: CommandLink,
  spec: RepeatableSpec,
  clock?: Pick<Clock, 'now'>,
): Promise<StoreResult> {
  return storeSchedule(link, keys, spec, encodeSchedule(spec), clock);
}

/** The links and the clock of a test with schedulers; a new one for each test. */
export class Rig {
  readonly clock = new HandClock();
  readonly errors: unknown[] = [];
  readonly #redis: TestRedis;
  readonly #links: CommandLink[] = [];

  constructor(redis: TestRedis) {
    this.#redis = redis;
  }

  /** A connection of its own, like that of another process. */
  async link(): Promise<CommandLink> {
    const link = new CommandLink({ ...this.#redis.connection });
    this.#links.push(link);
    await link.ready();
    return link;
  }

  close(): void {
    for (const link of this.#links) link.release();
  }

  settings(link: CommandLink, given: Partial<SchedulerSettings> = {}): SchedulerSettings {
    return {
      link,
      keys,
      group: 'default',
      lockTtlMs: 5_000,
      tickIntervalMs: 1,
      batch: 256,
      eventsCap: 1_000,
      clock: this.clock,
      metrics: {},
      onError: (error) => this.errors.push(error),
      ...given,
    };
  }

  /** A scheduler that polls only when it is called, until nothing more is due. Resolves with its last poll. */
  scheduler(
    link: CommandLink,
    given: Partial<SchedulerSettings> = {},
  ): ReturnType<typeof createSchedulerPoll> {
    const poll = createSchedulerPoll(this.settings(link, given));
    return async (lead, wakeIds) => {
      let found = await poll(lead, wakeIds);
      while (found.more) found = await poll(false, []);
      return found;
    };
  }

  /** The jobs of the work stream, in order. */
  async fired(): Promise<Fired[]> {
    const entries = await this.#redis.client.xrangeBuffer(keys.stream, '-', '+');
    return entries.map(([, list]) => {
      const fields = new Map<string, Buffer>();
      for (let i = 0; i + 1 < list.length; i += 2) fields.set(list[i]!.toString(), list[i + 1]!);
      const job = decodeEnvelope(fields.get('d')!);
      return { ...job, name: fields.get('n')?.toString(), keep: fields.get('u')?.toString() };
    });
  }

  /** The slots of the jobs in the work stream, in ms after {@link START}; from their ids. */
  async slots(): Promise<number[]> {
    return (await this.fired()).map(({ id }) => Number(id.slice(id.lastIndexOf(':') + 1)) - START);
  }
}
