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

  ids(): string[] {
    const ids: string[] = [];
    for (const { entryId } of this) ids.push(entryId);
    return ids;
  }

  *[Symbol.iterator](): Iterator<Delivery> {
    for (let delivery = this.#first; delivery;) {
      const following: Delivery | undefined = delivery.next;
      yield delivery;
      delivery = following;
    }
  }
}
