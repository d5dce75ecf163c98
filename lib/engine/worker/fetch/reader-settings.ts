import type { StreamEntry } from '../../../redis/replies.js';
import type { GateNews } from '../../../redis/scripts/take.js';
import type { Clock } from '../../base/clock.js';
import type { Delivery } from '../lease/delivery.js';

/** What a reader reads, and whom it tells. */
export interface ReaderSettings {
  group: string;
  consumerId: string;
  blockMs: number;
  connectTimeoutMs: number;
  /** False for a promoter or scheduler in a process of its own, which only listens for wake entries. */
  readsWork: boolean;
  /** Wake streams to listen on beside the work stream. */
  wakeStreams: readonly string[];
  clock: Clock;
  /** Resolves with how many entries may be fetched; 0 = stop. */
  capacity: () => Promise<number>;
  /** How many jobs of a gated queue can start now, and how many more may wait here. Default: as many as may be fetched, and none. */
  startable?: () => { now: number; more: number };
  /** Whether jobs of a gated queue may wait here; and whether as many came as were asked for. Before they are delivered. */
  waiting?: (waiting: GateNews['waiting'], areAll: boolean) => void;
  /** @param sentAt when the read was sent; monotonic ms */
  deliver: (deliveries: readonly Delivery[], sentAt: number) => void;
  woken: (stream: string, entry: StreamEntry) => void;
  /**
   * Learns what no wake has told. Called before the first read of a connection, and when the wake streams were gone. If it
   * rejects, so does that.
   */
  refresh?: () => Promise<void>;
  /** Writes to one of the wake streams, which ends a read of them. If it is absent, the wake streams are never read alone. */
  nudge?: () => Promise<unknown>;
  /** The queue is gated: jobs are fetched with lua/take.lua. Default: it never is. */
  isGated?: () => boolean;
  /** The queue is not gated any more. */
  gateOpened?: () => void;
  /** Jobs of a gated queue wait here: says to Redis that they have started, once they have. Default: they never wait. */
  late?: (starts: string, entryIds: readonly string[]) => void;
  onError: (error: unknown) => void;
}
