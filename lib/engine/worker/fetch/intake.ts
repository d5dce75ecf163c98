import { compareStreamIds } from '../../../redis/replies.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { numberPlaces, toDelivery } from '../lease/delivery.js';
import type { Delivery } from '../lease/delivery.js';
import type { InFlight, JobObserver } from '../lease/in-flight.js';
import type { LeaseTerm } from '../lease/lease-term.js';
import type { Reclaimer } from '../lease/leases.js';
import type { Admission } from './admission.js';

/** Ids of recovered entries that are remembered; a late reply comes soon or never. */
const MAX_RECOVERED = 10_000;

/** Where deliveries come in, from reads and from the heartbeat: each job becomes one in-flight job, however often it comes. */
export class Intake implements Reclaimer, JobObserver {
  readonly #inFlight: InFlight;
  readonly #term: LeaseTerm;
  readonly #admission: Admission;
  /** Entries that were recovered after a lost reply, in case the reply arrives after all. The oldest is first. */
  readonly #recovered = new Set<string>();
  /** For what the next read brings. */
  #nextPlace = 0;
  /** The last entry of the last read. */
  #lastRead = '0-0';

  constructor(inFlight: InFlight, term: LeaseTerm, admission: Admission) {
    this.#inFlight = inFlight;
    this.#term = term;
    this.#admission = admission;
    inFlight.observe(this);
  }

  /** What a read has brought. @param sentAt when it was sent; monotonic ms */
  read(deliveries: readonly Delivery[], sentAt: number): void {
    this.#term.arrived(sentAt);
    this.#nextPlace = numberPlaces(deliveries, this.#nextPlace);
    let fresh = deliveries;
    // A late reply contains entries that were recovered meanwhile, and that may have run.
    if (this.#recovered.size > 0) fresh = fresh.filter(({ entryId }) => !this.#recovered.has(entryId));
    if (this.#isRepeated(deliveries)) fresh = this.#withoutInFlight(fresh);
    this.#inFlight.wasRead(deliveries);
    this.#inFlight.addRead(fresh);
    this.#admission.accept(fresh);
  }

  /** An entry that was reclaimed from a worker that died, or, with no crashes, recovered after a lost reply. */
  reclaimed(entry: StreamEntry, crashes: number, isCancelled: boolean, isStalled: boolean): void {
    const delivery = toDelivery(entry, crashes);
    if (crashes === 0) this.#remember(delivery.entryId);
    if (this.#inFlight.find(delivery.entryId)) return;
    this.#inFlight.addReclaimed(delivery);
    if (isStalled) this.#inFlight.stalled(delivery);
    if (isCancelled) this.#inFlight.cancel(delivery);
    this.#admission.accept([delivery]);
  }

  /** Redis has delivered the entry anew: it runs once more. */
  lost({ again }: Delivery): void {
    if (!again) return;
    this.#inFlight.addRead([again]);
    this.#admission.accept([again]);
  }

  #remember(entryId: string): void {
    this.#recovered.add(entryId);
    if (this.#recovered.size <= MAX_RECOVERED) return;
    const [oldest] = this.#recovered;
    this.#recovered.delete(oldest as string);
  }

  /** Whether a read brings entries that were read before, as after a failover that has lost deliveries. */
  #isRepeated(read: readonly Delivery[]): boolean {
    const first = read[0]?.entryId;
    const last = read.at(-1)?.entryId;
    if (first === undefined || last === undefined) return false;
    const repeated = compareStreamIds(first, this.#lastRead) <= 0;
    this.#lastRead = last;
    return repeated;
  }

  /**
   * Leaves out entries that are in flight here: they are pending for this worker again. If such a job loses its lease because
   * its commit reached Redis before the new delivery, `lost` runs the entry once more.
   */
  #withoutInFlight(read: readonly Delivery[]): Delivery[] {
    const inFlight = new Map([...this.#inFlight].map((delivery) => [delivery.entryId, delivery]));
    return read.filter((delivery) => {
      const first = inFlight.get(delivery.entryId);
      if (first) first.again = delivery;
      return !first;
    });
  }
}
