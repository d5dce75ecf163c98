import type { Job } from '../engine/index.js';

type Place = NonNullable<Job['place']>;

/** The most jobs whose places are remembered, of one queue. */
const MOST_PLACES = 500;
/** A job of more bytes than this is searched for again, so that the places of 500 large jobs do not fill the memory. */
const MOST_BYTES = 16_384;

/**
 * Where the jobs were that the board has shown. The page of a job asks for it at each poll, and without this, each poll would search the
 * queue for an id that Redis keeps no record of.
 */
export class JobPlaces {
  readonly #places = new Map<string, Place>();

  saw({ id, place }: Job): void {
    if (place?.unreadable) return;
    this.#places.delete(id);
    if (!place || (place.member?.length ?? 0) > MOST_BYTES) return;
    this.#places.set(id, place);
    if (this.#places.size <= MOST_PLACES) return;
    const [oldest] = this.#places.keys();
    this.#places.delete(oldest as string);
  }

  of(id: string): Place | undefined {
    return this.#places.get(id);
  }
}
