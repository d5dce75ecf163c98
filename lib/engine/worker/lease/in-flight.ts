import { compareStreamIds } from '../../../redis/replies.js';
import type { Delivery } from './delivery.js';

/**
 * What this worker holds the lease of. A linked list, not a Map: at a hundred thousand jobs a second a Map's discarded
 * tables keep dead jobs alive from one collection to the next, and collecting them became a third of a worker's time.
 * Only rare paths look an entry up by its id.
 */
export class Held implements Iterable<Delivery> {
  #first: Delivery | undefined;
  #last: Delivery | undefined;
  #size = 0;
  /** The lowest entry id that was read since the last {@link snapshot}. */
  #firstRead: string | undefined;
  /** The entry ids that were reclaimed or recovered since then. */
  readonly #reclaimed = new Set<string>();

  get size(): number {
    return this.#size;
  }

  add(delivery: Delivery): void {
    delivery.isHeld = true;
    delivery.previous = this.#last;
    if (this.#last) this.#last.next = delivery;
    else this.#first = delivery;
    this.#last = delivery;
    this.#size += 1;
  }

  /** Notes what a read has brought, in the order of the entry ids. */
  wasRead(deliveries: readonly Delivery[]): void {
    const first = deliveries[0]?.entryId;
    if (first === undefined) return;
    if (this.#firstRead === undefined || compareStreamIds(first, this.#firstRead) < 0)
      this.#firstRead = first;
  }

  addReclaimed(delivery: Delivery): void {
    this.#reclaimed.add(delivery.entryId);
    this.add(delivery);
  }

  /** False where it was not held any more. */
  remove(delivery: Delivery): boolean {
    if (!delivery.isHeld) return false;
    const { previous, next } = delivery;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    delivery.isHeld = false;
    delivery.previous = undefined;
    delivery.next = undefined;
    this.#size -= 1;
    return true;
  }

  find(entryId: string): Delivery | undefined {
    for (const delivery of this) if (delivery.entryId === entryId) return delivery;
    return undefined;
  }

  /** The ids of all in-flight jobs. */
  snapshot(): string[] {
    this.#firstRead = undefined;
    this.#reclaimed.clear();
    const ids: string[] = [];
    for (const { entryId } of this) ids.push(entryId);
    return ids;
  }

  /**
   * Whether a job may have arrived here after the last {@link snapshot}. It may have ended since, even when it is not
   * in flight now.
   */
  mayHaveArrived(entryId: string): boolean {
    const first = this.#firstRead;
    return (first !== undefined && compareStreamIds(entryId, first) >= 0) || this.#reclaimed.has(entryId);
  }

  *[Symbol.iterator](): Iterator<Delivery> {
    for (let delivery = this.#first; delivery;) {
      const following: Delivery | undefined = delivery.next;
      yield delivery;
      delivery = following;
    }
  }
}
