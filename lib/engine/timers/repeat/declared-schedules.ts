import type { QueueKeys } from '../../../redis/keys.js';
import { checkSchedules } from '../../../redis/scripts/check-schedules.js';
import type { ScheduleState } from '../../../redis/scripts/check-schedules.js';
import { claimSchedules } from '../../../redis/scripts/claim-schedules.js';
import type { ScheduleClaim } from '../../../redis/scripts/claim-schedules.js';
import type { CommandLink } from '../../connection/command-link.js';
import { DataLostError } from '../../base/errors.js';
import { outsideOfContext } from '../../base/own-context.js';
import { attempt } from '../../base/safe-access.js';
import type { TraceCarrier } from '../../base/telemetry.js';
import { removeSchedule, restoreSchedule, storeSchedule } from './schedules.js';
import type { StoreResult } from './schedules.js';
import { encodeSchedule, withTrace } from './stored-schedule.js';
import type { EncodedSchedule, RepeatableSpec } from './stored-schedule.js';

/** Time between two checks of the declared schedules, in ms. */
const CHECK_MS = 2_000;
/** Most schedules of one call. */
const PAGE = 500;

interface Declared {
  encoded: EncodedSchedule;
  nextFireMs: number;
  fired: number;
  /** When this definition was stored first, in unix ms by Redis's clock. The latest definition is the valid one. */
  storedMs: number;
  /** Since when it is paused, in unix ms. */
  pausedMs: number | undefined;
}

/** Of this process. */
const open = new Set<DeclaredSchedules>();

/**
 * The schedules that were declared through one queue object. Redis may lose them: it restarts without its data or with
 * older data, or somebody empties it. An application declares its schedules only when it starts, so this checks that they
 * are there, and restores lost ones where they were. A schedule that any process has removed stays removed. If another
 * process has stored another definition, as in a rolling deployment, this adopts it: what it restores is the definition
 * that was stored last.
 */
export class DeclaredSchedules {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #maxPayloadBytes: number;
  readonly #carrier: (() => TraceCarrier | undefined) | undefined;
  readonly #declared = new Map<string, Declared>();
  /** Owner → the generation for which this process has claimed its schedules. Redis may lose the claim, too. */
  readonly #claims = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  #isClosed = false;

  /** @param carrier what travels with the jobs of a schedule that is declared now */
  constructor(
    link: CommandLink,
    keys: QueueKeys,
    maxPayloadBytes: number,
    carrier: (() => TraceCarrier | undefined) | undefined,
  ) {
    this.#carrier = carrier;
    this.#link = link;
    this.#keys = keys;
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /**
   * Nothing is stored if this process has claimed the schedules of the owner, and a newer deployment has claimed them since.
   * @throws ConfigError, TypeError (CMQ-004), EncodeError (CMQ-002), PayloadTooLargeError (CMQ-023), ConnectionError (CMQ-001)
   */
  async declare(spec: RepeatableSpec): Promise<StoreResult> {
    // Encoded at once, because the caller may change its data later.
    const plain = encodeSchedule(spec, this.#maxPayloadBytes);
    const carrier = this.#carrier?.();
    const encoded = carrier
      ? (attempt(() => withTrace(plain, carrier, this.#maxPayloadBytes)) ?? plain)
      : plain;
    const claim = this.#claimOf(spec.owner);
    const stored = await storeSchedule(this.#link, this.#keys, spec, encoded, undefined, claim);
    if (stored.outcome === 'superseded') return stored;
    const { key, nextFireMs, fired, storedMs, pausedMs } = stored;
    this.#declared.set(key, { encoded, nextFireMs, fired, storedMs, pausedMs });
    open.add(this);
    this.#plan();
    return stored;
  }

  /** False if a newer deployment of the owner has asked before. */
  async claim(owner: string, generation: number): Promise<boolean> {
    const isNewest = await claimSchedules(this.#link, this.#keys, { owner, generation });
    if (isNewest) this.#claims.set(owner, generation);
    return isNewest;
  }

  #claimOf(owner: string | undefined): ScheduleClaim | undefined {
    const generation = owner === undefined ? undefined : this.#claims.get(owner);
    return owner === undefined || generation === undefined ? undefined : { owner, generation };
  }

  /**
   * True if it was there.
   * @param owner remove it for this owner: not if a newer deployment than the one that this process has claimed for is there
   */
  async remove(key: string, owner?: string): Promise<boolean> {
    this.#declared.delete(key);
    const removed = await removeSchedule(this.#link, this.#keys, key, this.#claimOf(owner));
    this.#declared.delete(key);
    // The other queue objects of this process should know at once, and not only after their next check.
    const others = [...open].filter((other) => other !== this && other.#keys.queue === this.#keys.queue);
    await Promise.all(others.filter((other) => other.#declared.has(key)).map((other) => other.#checkAgain()));
    return removed === 'removed';
  }

  /** Stops checking. The stored schedules stay. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    open.delete(this);
    await this.#checking;
  }

  #plan(): void {
    if (this.#timer || this.#isClosed || this.#declared.size === 0) return;
    const check = (): void => {
      this.#timer = undefined;
      void this.#check().then(() => {
        this.#plan();
      });
    };
    this.#timer = outsideOfContext(() => setTimeout(check, CHECK_MS)).unref();
  }

  /** Never rejects: while Redis is away, the connection reports it, and the next check comes soon. */
  #check(): Promise<void> {
    this.#checking ??= this.#checkAll()
      .catch(() => undefined)
      .finally(() => {
        this.#checking = undefined;
      });
    return this.#checking;
  }

  /** A check that is under way may have read the earlier state, so this adds another one. */
  async #checkAgain(): Promise<void> {
    await this.#checking;
    await this.#check();
  }

  async #checkAll(): Promise<void> {
    const lost: string[] = [];
    const all = [...this.#declared.keys()];
    for (let from = 0; from < all.length && !this.#isClosed; from += PAGE) {
      const keys = all.slice(from, from + PAGE);
      const known = keys.flatMap((key) => this.#declared.get(key)?.encoded ?? []);
      const states = await checkSchedules(this.#link, this.#keys, known);
      for (const [index, schedule] of states.entries()) {
        const { key } = known[index] as EncodedSchedule;
        const declared = this.#declared.get(key);
        // It may have been removed or declared again during the check.
        if (!declared || declared.encoded !== known[index]) continue;
        if (schedule.state === 'gone') this.#declared.delete(key);
        else if (schedule.state === 'lost' || isOutdated(schedule, declared)) {
          if (lost.length === 0) await this.#claimAgain();
          if (await this.#restore(key, declared)) lost.push(key);
        } else if (schedule.state === 'present') adopt(declared, schedule);
      }
    }
    if (lost.length > 0) this.#report(lost);
  }

  async #claimAgain(): Promise<void> {
    for (const [owner, generation] of this.#claims) {
      await claimSchedules(this.#link, this.#keys, { owner, generation });
    }
  }

  /** True if it was lost. */
  async #restore(key: string, declared: Declared): Promise<boolean> {
    const { outcome } = await restoreSchedule(this.#link, this.#keys, declared.encoded, declared);
    if (outcome === 'gone' && this.#declared.get(key) === declared) this.#declared.delete(key);
    return outcome === 'started' || outcome === 'updated';
  }

  #report(lost: readonly string[]): void {
    const shown = lost.slice(0, 5).map((key) => JSON.stringify(key));
    this.#link.warn(
      new DataLostError(
        `Redis at ${this.#link.address} has lost data of queue "${this.#keys.queue}": ${String(lost.length)} schedule(s) that this application declared were missing or outdated, although nobody had removed or replaced them (${shown.join(', ')}${lost.length > shown.length ? ', …' : ''}). They have been restored. Jobs are probably lost too: check that Redis persists (appendonly yes), that maxmemory-policy is noeviction, and that nobody empties it.`,
      ),
    );
  }
}

/** Redis came back with a definition that had been replaced by the one that is known here. */
function isOutdated(schedule: ScheduleState, declared: Declared): boolean {
  return schedule.state === 'present' && !!schedule.other && schedule.storedMs < declared.storedMs;
}

function adopt(declared: Declared, schedule: ScheduleState & { state: 'present' }): void {
  const { next, fired, storedMs, pausedMs, other } = schedule;
  Object.assign(declared, { nextFireMs: next, fired, storedMs, pausedMs });
  if (other) declared.encoded = { key: declared.encoded.key, ...other };
}
