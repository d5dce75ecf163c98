import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { QueueKeys } from '../../../lib/redis/keys.js';
import type { Book } from './book.js';
import { GROUPS, UNLIMITED } from './steps.js';

/** What is in force, as far as the test has told Redis. */
export interface InForce {
  isPaused: boolean;
  concurrency: number;
  readonly groups: Record<string, { isPaused: boolean; concurrency: number }>;
}

interface Sample {
  /** Which of the changes of the policy were done; undefined = one was on its way. */
  readonly epoch: number | undefined;
  /** Entries in flight: of which job each is. */
  readonly pending: ReadonlyMap<string, number>;
}

/** The entries in flight, each with its name; and the slots in use. */
const READ = `
  local is_there, pending = pcall(redis.call, 'XPENDING', KEYS[1], 'default', '-', '+', 1000)
  local rows = {}
  for i, of in ipairs(is_there and pending or {}) do
    local entry = redis.call('XRANGE', KEYS[1], of[1], of[1])[1]
    rows[i] = { of[1], entry and entry[2] or {} }
  end
  return { rows, redis.call('ZRANGE', KEYS[2], 0, -1) }`;

/**
 * Looks again and again at what is in flight, in one step each. What a job starts must be allowed by what was in force since the
 * look before: then the jobs in flight are within the limits, unless only ends came since a limit was lowered.
 */
export class SlotSamples {
  readonly inForce: InForce = {
    isPaused: false,
    concurrency: UNLIMITED,
    groups: Object.fromEntries(GROUPS.map((id) => [id, { isPaused: false, concurrency: UNLIMITED }])),
  };
  #epoch = 0;
  #changing = 0;
  #last: Sample = { epoch: undefined, pending: new Map() };
  #isStopped = false;
  readonly #reading: Promise<void>;

  /** @param isExact the queue is gated all the time: no worker may still read the stream as if there were no limits */
  constructor(
    private readonly client: Redis,
    private readonly keys: QueueKeys,
    private readonly book: Book,
    private readonly isExact: boolean,
  ) {
    this.#reading = this.#readOn();
  }

  async #readOn(): Promise<void> {
    while (!this.#isStopped) {
      await this.sample();
      await delay(2);
    }
  }

  /** The entries in flight at the last look. */
  get inFlight(): ReadonlySet<string> {
    return new Set(this.#last.pending.keys());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#reading;
  }

  /** Carries out a change of what is in force. */
  async change(change: () => Promise<unknown>, then: (now: InForce) => void): Promise<void> {
    this.#changing += 1;
    await change();
    then(this.inForce);
    this.#epoch += 1;
    this.#changing -= 1;
  }

  get #now(): number | undefined {
    return this.#changing === 0 ? this.#epoch : undefined;
  }

  async sample(): Promise<void> {
    const before = this.#now;
    const { stream, prefix } = this.keys;
    const read = this.client.callBuffer('EVAL', READ, '2', stream, `${prefix}slots`);
    const [rows, slots] = (await read) as [[Buffer, Buffer[]][], Buffer[]];
    const pending = new Map<string, number>();
    for (const [id, fields] of rows) {
      const at = fields.findIndex((field, index) => index % 2 === 0 && field.toString() === 'n');
      pending.set(id.toString(), Number(fields[at + 1]));
    }
    const sample = { epoch: before === this.#now ? before : undefined, pending };
    this.#compareSlots(pending, slots);
    if (this.isExact && sample.epoch !== undefined && sample.epoch === this.#last.epoch) this.#judge(sample);
    this.#last = sample;
  }

  #groupOf(number: number): string {
    return this.book.jobs[number]?.spec.group ?? '';
  }

  /** Each job of a group has a slot while it is in flight, and no other slot is in use. */
  #compareSlots(pending: ReadonlyMap<string, number>, slots: readonly Buffer[]): void {
    const expected = [...pending]
      .filter(([, number]) => this.#groupOf(number) !== '')
      .map(([entry, number]) => `${this.#groupOf(number)} ${entry}`);
    const used = slots
      .map((slot) => {
        const ends = 2 + slot.readUInt16BE(0);
        return `${slot.toString('utf8', 2, ends)} ${slot.toString('latin1', ends)}`;
      })
      .filter((slot) => !/^. h/.test(slot));
    if (used.sort().join() !== expected.sort().join())
      this.book.faults.push(`slots ${used.join()} in use, and ${expected.join()} in flight`);
  }

  #judge({ pending }: Sample): void {
    const { inForce, book } = this;
    const added = [...pending.keys()].filter((entry) => !this.#last.pending.has(entry));
    if (added.length === 0) return;
    if (inForce.isPaused) book.faults.push(`${added.join()} started in the pause`);
    if (pending.size > inForce.concurrency)
      book.faults.push(`${pending.size} in flight, and ${inForce.concurrency} may be`);
    for (const [id, { isPaused, concurrency }] of Object.entries(inForce.groups)) {
      const isOf = (entry: string): boolean => this.#groupOf(pending.get(entry) as number) === id;
      if (!added.some(isOf)) continue;
      if (isPaused) book.faults.push(`a job of ${id} started in the pause of the group`);
      const used = [...pending.keys()].filter(isOf).length;
      const most = book.isStrict ? 1 : concurrency;
      if (used > most) book.faults.push(`${used} in flight of ${id}, and ${most} may be`);
    }
  }
}
