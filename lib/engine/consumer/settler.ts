import type { QueueKeys } from '../../redis/keys.js';
import { boundsOf } from '../../redis/replies.js';
import type { ScriptArgument } from '../../redis/scripts.js';
import type { CommandLink } from '../connections.js';
import { encodeDelayedMember, withAttempt } from '../envelope.js';
import type { Delivery } from './delivery.js';
import { Lane } from './lane.js';
import { detailOf } from './outcome.js';
import type { Outcome } from './outcome.js';
import type { ConsumerSettings } from './settings.js';

export interface Completed {
  delivery: Delivery;
  /** MessagePack of the return value, where it is stored. */
  result: Buffer | undefined;
  /** The same as JSON for the event, or ''. */
  resultJson: string;
}

interface Retried {
  delivery: Delivery;
  outcome: Extract<Outcome, { kind: 'retry' }>;
}

interface Dead {
  delivery: Delivery;
  outcome: Extract<Outcome, { kind: 'dead' }>;
  /** False where no handler ran: there is no `failed` event then. */
  ran: boolean;
}

export interface SettlerHooks {
  completed: (delivery: Delivery) => void;
  /** @param due unix ms by Redis's clock */
  retried: (delivery: Delivery, outcome: Retried['outcome']) => void;
  retryDue: (due: number) => void;
  dead: (delivery: Delivery, outcome: Dead['outcome'], ran: boolean) => void;
  /** The lease was somebody else's by then: nothing was changed. */
  lost: (delivery: Delivery) => void;
  evicted: (count: number) => void;
  error: (error: unknown) => void;
}

/** Commits outcomes: acknowledges, schedules retries, dead-letters; each kind in batches of its own. */
export class Settler {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: ConsumerSettings;
  readonly #hooks: SettlerHooks;
  readonly #completions: Lane<Completed>;
  readonly #retries: Lane<Retried>;
  readonly #deaths: Lane<Dead>;

  constructor(link: CommandLink, keys: QueueKeys, settings: ConsumerSettings, hooks: SettlerHooks) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#hooks = hooks;
    this.#completions = new Lane(
      settings.ackBatch,
      (batch, again) => this.#complete(batch, again),
      hooks.error,
    );
    this.#retries = new Lane(
      settings.retryInflight,
      (batch, again) => this.#retry(batch, again),
      hooks.error,
    );
    this.#deaths = new Lane(settings.dlqInflight, (batch, again) => this.#bury(batch, again), hooks.error);
  }

  get size(): number {
    return this.#completions.size + this.#retries.size + this.#deaths.size;
  }

  complete(completed: Completed): void {
    this.#completions.push(completed);
  }

  retry(delivery: Delivery, outcome: Retried['outcome']): void {
    this.#retries.push({ delivery, outcome });
  }

  bury(delivery: Delivery, outcome: Dead['outcome'], ran: boolean): void {
    this.#deaths.push({ delivery, outcome, ran });
  }

  async idle(): Promise<void> {
    await Promise.all([this.#completions.idle(), this.#retries.idle(), this.#deaths.idle()]);
  }

  abandon(): void {
    this.#completions.abandon();
    this.#retries.abandon();
    this.#deaths.abandon();
  }

  async #complete(batch: Completed[], again: boolean): Promise<void> {
    const { eventsCap, resultTtlMs } = this.#settings;
    const fresh = sortUnannounced(batch);
    const args = this.#header(batch, fresh);
    let results = 0;
    let uniques = 0;
    const tail: ScriptArgument[] = [];
    const keeps: ScriptArgument[] = [];
    for (let i = 0; i < batch.length; i++) {
      const { delivery, result, resultJson } = batch[i] as Completed;
      if (result) {
        results += 1;
        tail.push(i + 1, delivery.jobId, result, resultJson);
      }
      if (delivery.uniqueMs !== undefined) {
        uniques += 1;
        keeps.push(i + 1, delivery.jobId, delivery.uniqueMs);
      }
    }
    const { frames, names } = packCompletions(batch, eventsCap > 0);
    args.push(results, uniques, resultTtlMs, eventsCap, frames, names.length);
    for (const name of names) args.push(name);
    for (const arg of tail) args.push(arg);
    for (const arg of keeps) args.push(arg);
    const lost = (await this.#link.run('complete', this.#keys, args)) as number[];
    this.#report(batch, lost, again, ({ delivery }) => {
      this.#hooks.completed(delivery);
    });
  }

  async #retry(batch: Retried[], again: boolean): Promise<void> {
    const fresh = sortUnannounced(batch);
    const args = this.#header(batch, fresh);
    args.push(this.#settings.eventsCap);
    for (const { delivery, outcome } of batch) {
      const { entryId, jobId, name, attempt, durationUs } = delivery;
      const job = withAttempt(delivery.bytes as Buffer, attempt);
      args.push(entryId, jobId, name, attempt, durationUs, detailOf(outcome.error), outcome.backoffMs);
      args.push(encodeDelayedMember(name, job), delivery.uniqueMs === undefined ? '' : '1');
    }
    const [due, ...lost] = (await this.#link.run('retry', this.#keys, args)) as [string, ...number[]];
    this.#report(batch, lost, again, ({ delivery, outcome }) => {
      this.#hooks.retried(delivery, outcome);
    });
    if (due !== '') this.#hooks.retryDue(Number(due));
  }

  async #bury(batch: Dead[], again: boolean): Promise<void> {
    // Where no handler ran, there is no start to announce.
    for (const { delivery, ran } of batch) if (!ran) delivery.announced = true;
    const fresh = sortUnannounced(batch);
    const args = this.#header(batch, fresh);
    const { eventsCap, dlqMaxStreamLen, resultTtlMs } = this.#settings;
    args.push(eventsCap, dlqMaxStreamLen, resultTtlMs);
    for (const { delivery, outcome, ran } of batch) {
      const { entryId, jobId, name, attempt, durationUs, uniqueMs } = delivery;
      args.push(entryId, jobId, name, ran ? attempt : attempt - 1, ran ? durationUs : '');
      args.push(outcome.reason, detailOf(outcome.detail), uniqueMs ?? '');
    }
    const [evicted, ...lost] = (await this.#link.run('dead-letter', this.#keys, args)) as [
      number,
      ...number[],
    ];
    this.#report(batch, lost, again, ({ delivery, outcome, ran }) => {
      this.#hooks.dead(delivery, outcome, ran);
    });
    if (evicted > 0) this.#hooks.evicted(evicted);
  }

  /** What all three scripts begin with. */
  #header(batch: readonly { delivery: Delivery }[], fresh: number): ScriptArgument[] {
    const [first, last] = boundsOf(batch.map(({ delivery }) => delivery.entryId));
    const { group, consumerId } = this.#settings;
    return [group, consumerId, first, last, String(batch.length), String(fresh)];
  }

  /**
   * @param again the batch was sent before and its reply was lost: what is not ours any more was most likely settled
   * then, so it is no alarm
   */
  #report<T extends { delivery: Delivery }>(
    batch: readonly T[],
    lost: readonly number[],
    again: boolean,
    settled: (item: T) => void,
  ): void {
    if (lost.length === 0) {
      for (const item of batch) settled(item);
      return;
    }
    const indices = new Set(lost);
    batch.forEach((item, index) => {
      if (!indices.has(index + 1) || again) settled(item);
      else this.#hooks.lost(item.delivery);
    });
  }
}

/**
 * The frames of lua/complete.lua. One buffer for the batch: an argument for each value would cost the client more than
 * all else that it does for a job.
 */
function packCompletions(batch: readonly Completed[], events: boolean): { frames: Buffer; names: string[] } {
  let bound = 0;
  for (const { delivery } of batch) bound += 64 + (events ? delivery.jobId.length * 3 + 40 : 0);
  const frames = Buffer.allocUnsafe(bound);
  const names: string[] = [];
  const indices = new Map<string, number>();
  let at = 0;
  for (const { delivery } of batch) {
    at = writeShort(frames, at, delivery.entryId);
    if (!events) continue;
    const length = frames.write(delivery.jobId, at + 2);
    at = frames.writeUInt16BE(length, at) + length;
    let name = indices.get(delivery.name);
    if (name === undefined) {
      name = names.push(delivery.name) - 1;
      indices.set(delivery.name, name);
    }
    at = frames.writeUInt16BE(name, at);
    at = writeShort(frames, at, String(delivery.attempt));
    at = writeShort(frames, at, String(delivery.durationUs));
  }
  return { frames: frames.subarray(0, at), names };
}

/** ASCII behind its length in one byte. */
function writeShort(to: Buffer, at: number, text: string): number {
  to[at] = text.length;
  return at + 1 + to.write(text, at + 1, 'latin1');
}

/** Puts those whose start was not announced in front, and counts them. */
function sortUnannounced(batch: { delivery: Delivery }[]): number {
  let fresh = 0;
  for (const { delivery } of batch) if (!delivery.announced) fresh += 1;
  if (fresh > 0 && fresh < batch.length) {
    batch.sort((a, b) => Number(a.delivery.announced) - Number(b.delivery.announced));
  }
  return fresh;
}
