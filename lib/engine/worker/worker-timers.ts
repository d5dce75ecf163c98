import type { QueueKeys } from '../../redis/keys.js';
import type { StreamEntry } from '../../redis/replies.js';
import { Service } from '../base/service.js';
import type { CommandLink } from '../connection/command-link.js';
import { dueOf } from '../timers/due-loop.js';
import type { DueLoop } from '../timers/due-loop.js';
import { GroupAudit } from '../timers/group-audit.js';
import { createPromoter } from '../timers/promoter.js';
import { createScheduler } from '../timers/scheduler.js';
import { toMs } from './settings.js';
import type { WorkerSettings } from './settings.js';

/**
 * The promoter and the scheduler inside a worker, where its options have them: the worker's reader hears their wakes. And the audit of
 * the groups.
 */
export class WorkerTimers extends Service {
  readonly #promoter: DueLoop | undefined;
  readonly #audit: GroupAudit;
  /** By their wake streams. */
  readonly #loops = new Map<string, DueLoop>();

  constructor(
    link: CommandLink,
    keys: QueueKeys,
    settings: WorkerSettings,
    onError: (error: unknown) => void,
  ) {
    super();
    this.#audit = new GroupAudit(link, keys, onError);
    if (settings.delayedEnabled) {
      this.#promoter = createPromoter({
        ...settings,
        link,
        keys,
        lockTtlMs: settings.delayedLockTtlMs,
        idleMs: settings.delayedPollIntervalMs,
        batch: settings.delayedPromoteBatch,
        onError,
      });
      this.#loops.set(keys.promoterWake, this.#promoter);
    }
    if (settings.runScheduler) {
      const { tickIntervalMs = 1_000, batch = 256, lockTtlSecs = 5, holderId } = settings.scheduler;
      const lockTtlMs = toMs(lockTtlSecs);
      const { group, eventsCap, metrics } = settings;
      const scheduler = {
        link,
        keys,
        group,
        holderId,
        lockTtlMs,
        tickIntervalMs,
        batch,
        eventsCap,
        metrics,
        onError,
      };
      this.#loops.set(keys.schedulerWake, createScheduler(scheduler));
    }
  }

  get wakeStreams(): string[] {
    return [...this.#loops.keys()];
  }

  /** Whether the queue is gated. */
  set isGated(isGated: boolean) {
    this.#audit.isGated = isGated;
  }

  /** An entry of one of the wake streams. */
  woken(stream: string, [id, fields]: StreamEntry): void {
    this.#loops.get(stream)?.wake({ entryId: id.toString(), due: dueOf(fields) });
  }

  /** A retry of this worker is due at `due`, in unix ms by Redis's clock. */
  readonly retryDue = (due: number): void => {
    this.#promoter?.wake({ due });
  };

  protected async onStart(): Promise<void> {
    await Promise.all([...this.#loops.values(), this.#audit].map((part) => part.start()));
  }

  protected async onStop(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#loops.values(), this.#audit].map((part) => part.stop(deadlineMs)));
  }
}
