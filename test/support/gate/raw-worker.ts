import type { Redis } from 'ioredis';
import { decodeEnvelope } from '../../../lib/engine/codec/read-envelope.js';
import { writeDelayedMember } from '../../../lib/engine/codec/write-envelope.js';
import { decodedParts } from '../../../lib/engine/worker/fetch/brought.js';
import { boundsOf, toDelivery } from '../../../lib/engine/worker/lease/delivery.js';
import type { Delivery } from '../../../lib/engine/worker/lease/delivery.js';
import type { QueueKeys } from '../../../lib/redis/keys.js';
import { compareStreamIds, streamsOf } from '../../../lib/redis/replies.js';
import { packGroups } from '../../../lib/redis/scripts/lib/fence.js';
import { complete } from '../../../lib/redis/scripts/complete.js';
import { confirmStarts } from '../../../lib/redis/scripts/confirm-starts.js';
import { createGroup } from '../../../lib/redis/scripts/create-group.js';
import { deadLetter } from '../../../lib/redis/scripts/dead-letter.js';
import { readPolicy } from '../../../lib/redis/scripts/read-policy.js';
import { reclaim } from '../../../lib/redis/scripts/reclaim.js';
import { release } from '../../../lib/redis/scripts/release.js';
import { retry } from '../../../lib/redis/scripts/retry.js';
import { GATE_KEY, readGateNews, take } from '../../../lib/redis/scripts/take.js';
import { runnerOn } from '../script-runner.js';

const GROUP = 'default';
const HOUR = 3_600_000;
const QUIET = { eventsCap: 0, eventsBatchFrom: 0 };

/** Calls the scripts that a worker calls, one by one, as the test says. A job's name is what the test knows it by. */
export class RawWorker {
  readonly #client: Redis;
  readonly #keys: QueueKeys;
  readonly #runner;
  readonly consumerId: string;
  /** In flight here, as far as this worker knows. */
  readonly inFlight = new Map<number, Delivery>();

  constructor(client: Redis, keys: QueueKeys, consumerId: string) {
    this.#client = client;
    this.#keys = keys;
    this.#runner = runnerOn(client);
    this.consumerId = consumerId;
  }

  async join(): Promise<void> {
    const { stream } = this.#keys;
    await createGroup(this.#runner, this.#keys, { stream, group: GROUP, consumer: this.consumerId });
  }

  /** Fetches at most `count` jobs, as a worker does at this moment. Resolves with their names. */
  async fetch(count: number): Promise<number[]> {
    const { isGated, pausedSince } = await readPolicy(this.#runner, this.#keys);
    if (isGated) return this.#take(count);
    if (pausedSince !== undefined) return [];
    const { stream } = this.#keys;
    const read = ['GROUP', GROUP, this.consumerId, 'COUNT', String(count), 'STREAMS', stream, '>'];
    const entries = streamsOf(await this.#client.callBuffer('XREADGROUP', ...read)).flatMap(([, of]) => of);
    return this.#keep(entries.map((entry) => toDelivery(entry, 0)));
  }

  async #take(count: number): Promise<number[]> {
    const { consumerId } = this;
    const reply = await take(this.#runner, this.#keys, { group: GROUP, consumerId, count });
    const { parts, others } = decodedParts(reply, this.#keys.stream);
    const { starts } = readGateNews(others.find(([key]) => key === GATE_KEY)?.[1] ?? []);
    if (starts !== undefined) await confirmStarts(this.#runner, this.#keys, { consumerId, starts });
    return this.#keep(parts.flat());
  }

  /** Takes over what workers had whose leases are over. */
  async reclaim(count: number): Promise<number[]> {
    const { consumerId } = this;
    const { entries, unconfirmed } = await reclaim(this.#runner, this.#keys, {
      group: GROUP,
      consumerId,
      leaseMs: HOUR,
      steadyMs: 2 * HOUR,
      latest: Number.MAX_SAFE_INTEGER,
      count,
      quarantined: 1_000,
      maxBytes: 1e6,
      eventsCap: 0,
    });
    if (unconfirmed) await confirmStarts(this.#runner, this.#keys, { consumerId, starts: unconfirmed });
    return this.#keep(entries.map(({ entry, starts }) => toDelivery(entry, starts)));
  }

  #keep(deliveries: readonly Delivery[]): number[] {
    return deliveries.map((delivery) => {
      delivery.jobId = decodeEnvelope(delivery.bytes as Buffer).id;
      this.inFlight.set(Number(delivery.name), delivery);
      return Number(delivery.name);
    });
  }

  /** The names of its jobs, in the order of their entries. */
  get orphans(): number[] {
    return [...this.inFlight]
      .toSorted(([, one], [, other]) => compareStreamIds(one.entryId, other.entryId))
      .map(([name]) => name);
  }

  /** Nobody renews the leases of this worker any more, and they are over. */
  async lapse(): Promise<void> {
    const ids = [...this.inFlight.values()].map(({ entryId }) => entryId);
    if (ids.length === 0) return;
    const { stream } = this.#keys;
    await this.#client.xclaim(stream, GROUP, this.consumerId, 0, ...ids, 'IDLE', 2 * HOUR, 'JUSTID');
  }

  /** Each of these resolves with the names of the jobs whose lease was not this worker's any more. */
  async complete(jobs: readonly number[]): Promise<number[]> {
    return this.#end(jobs, (deliveries, batch) =>
      complete(this.#runner, this.#keys, {
        ...batch,
        ...QUIET,
        jobs: deliveries,
        storesResults: false,
        resultTtlMs: 1_000,
        tracked: [],
        worker: '',
        bounds: {},
        dedups: [],
        inFlight: this.inFlight.size,
      }),
    );
  }

  /** The jobs are delayed for an hour. */
  async retry(jobs: readonly number[]): Promise<number[]> {
    return this.#end(jobs, (deliveries, batch) =>
      retry(this.#runner, this.#keys, {
        ...batch,
        ...QUIET,
        jobs: deliveries.map((delivery) => ({ delivery, backoffMs: HOUR, attemptsUsed: 1, reason: 'no' })),
        event: 'failed',
        keepsTurn: true,
        writeMember: writeDelayedMember,
        wakePromoter: false,
        hasPlaces: true,
        attempts: [],
      }),
    );
  }

  async failForGood(jobs: readonly number[]): Promise<number[]> {
    return this.#end(jobs, (deliveries, batch) =>
      deadLetter(this.#runner, this.#keys, {
        ...batch,
        jobs: deliveries.map((delivery) => ({
          delivery,
          ran: true,
          reason: 'retries_exhausted',
          detail: 'no',
          stack: undefined,
        })),
        eventsCap: 0,
        dlqCap: 0,
        rememberMs: 1_000,
        kept: '',
        attempts: [],
        dedups: [],
        bounds: {},
      }),
    );
  }

  async release(jobs: readonly number[]): Promise<number[]> {
    return this.#end(jobs, async (deliveries, batch) => {
      const of = deliveries.map(({ entryId }) => ({ entryId, bytes: undefined }));
      const reply = await release(this.#runner, this.#keys, { ...batch, jobs: of, othersMs: undefined });
      return { lost: [], ...reply };
    });
  }

  async #end(
    jobs: readonly number[],
    send: (deliveries: Delivery[], batch: Batch) => Promise<{ readonly lost: readonly number[] }>,
  ): Promise<number[]> {
    const deliveries = jobs.map((job) => this.inFlight.get(job) as Delivery);
    const [first, last] = boundsOf(deliveries);
    const batch = {
      group: GROUP,
      consumerId: this.consumerId,
      first,
      last,
      unannounced: 0,
      gaps: '-',
      isGated: true,
      groups: groupsOf(deliveries),
    };
    const { lost } = await send(deliveries, batch);
    for (const job of jobs) this.inFlight.delete(job);
    return lost.map((index) => jobs[index] as number);
  }
}

interface Batch {
  group: string;
  consumerId: string;
  first: string;
  last: string;
  unannounced: number;
  gaps: string;
  isGated: boolean;
  groups: Buffer | undefined;
}

function groupsOf(deliveries: readonly Delivery[]): Buffer | undefined {
  const jobs = deliveries.flatMap(({ roomHead }, index) => {
    const length = roomHead?.readUInt16BE(0) ?? 0;
    return roomHead && length > 0 ? [{ index, group: roomHead.subarray(2, 2 + length) }] : [];
  });
  return jobs.length > 0 ? packGroups(jobs) : undefined;
}
