import type { QueueKeys } from '../../../redis/keys.js';
import { renew } from '../../../redis/scripts/renew.js';
import type { RenewReply } from '../../../redis/scripts/renew.js';
import type { Clock } from '../../base/clock.js';
import { ConnectionError } from '../../base/errors.js';
import type { CommandLink } from '../../connection/command-link.js';
import { MAX_CALL_BYTES, cutMessage } from '../../connection/read-size.js';
import type { InFlight } from './in-flight.js';

/** How many entries that never arrived are recovered at once, at most. */
const STRANDED_BATCH = 100;

/** The connection was closed instead of an answer, for the first time. */
export class CutError extends ConnectionError {}

export interface RenewalSettings {
  group: string;
  consumerId: string;
  /** Between two heartbeats. */
  beatMs: number;
  clock: Pick<Clock, 'monotonic'>;
}

/** Renews the leases of the in-flight jobs, and looks for jobs that were delivered here and never arrived. */
export class Renewal {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: RenewalSettings;
  readonly #inFlight: InFlight;
  /** What is pending here for longer, and not in flight, has never arrived. 0 where no delivery is on its way any more. */
  strandedMs: number;
  /** Most bytes of stranded entries in one reply. */
  #strandedBytes = MAX_CALL_BYTES;
  /** Looks in a row that ended with their connection. */
  #cuts = 0;
  #cutError = '';
  /** When a look may have missed jobs; monotonic ms. */
  #missedAt = -Infinity;
  #askedAt = -Infinity;

  constructor(link: CommandLink, keys: QueueKeys, settings: RenewalSettings, inFlight: InFlight) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#inFlight = inFlight;
    this.strandedMs = Math.ceil(settings.beatMs / 2);
  }

  /** Jobs of the last reply were left for later. */
  missed(): void {
    this.#missedAt = this.#settings.clock.monotonic();
  }

  /** Whether a look that began at `sentAt` (monotonic ms) finds all: what was missed is not stranded again at once. */
  findsAll(sentAt: number): boolean {
    return sentAt - this.#missedAt >= this.strandedMs;
  }

  /** A reply that the server finds too large closes the connection: then less is asked for, down to nothing. */
  async ask(): Promise<RenewReply> {
    const { group, consumerId, clock } = this.#settings;
    // What was on its way at the last look was renewed, so it is not idle for long enough yet.
    if (clock.monotonic() - this.#askedAt < this.strandedMs) this.missed();
    this.#askedAt = clock.monotonic();
    try {
      const reply = await renew(this.#link, this.#keys, {
        group,
        consumerId,
        entryIds: this.#inFlight.snapshot(),
        // Younger than half a beat may still be on its way here.
        strandedMs: this.strandedMs,
        limit: STRANDED_BATCH,
        maxBytes: this.#strandedBytes,
      });
      this.#strandedBytes = Math.min(MAX_CALL_BYTES, Math.max(1, this.#strandedBytes * 2));
      if (!reply.more || reply.stranded.length > 0) this.#cuts = 0;
      return reply;
    } catch (error) {
      this.missed();
      this.#strandedBytes = Math.floor(this.#strandedBytes / 8);
      if (!(error instanceof ConnectionError) || !error.unknownOutcome) throw error;
      this.#cuts += 1;
      // Once, it is no news: the look comes again with the next beat.
      if (this.#cuts === 1) throw new CutError(error.message, { cause: error, unknownOutcome: true });
      const what = 'jobs that were delivered and never arrived';
      this.#cutError = cutMessage(this.#link.address, this.#cuts, what);
      throw new ConnectionError(this.#cutError, { cause: error, unknownOutcome: true });
    }
  }

  /** Where Redis closes the connection instead of answering: how often in a row, and what the user should know. */
  get trouble(): { failures: number; lastError: string } | undefined {
    return this.#cuts > 1 ? { failures: this.#cuts, lastError: this.#cutError } : undefined;
  }
}
