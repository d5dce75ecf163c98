import type { Queue } from '../engine/index.js';

type StreamList = 'waiting' | 'failed';
type ListPage = Awaited<ReturnType<Queue['readPage']>>;

/** For so long, a page in the middle of a list stays where it was when it was opened, in ms. */
const KEEP_MS = 120_000;
/** The most positions that are remembered of a list. */
const MOST_KEPT = 200;

/**
 * Pages of lists that are streams. In the middle of a long one, a page is about where its number says. So this remembers where
 * pages have begun: the next one goes on where the one before it ended, and a poll shows the same jobs again.
 */
export class BoardPages {
  readonly #queue: Queue;
  readonly #known: Readonly<Record<StreamList, Map<number, { position: string; until: number }>>> = {
    waiting: new Map(),
    failed: new Map(),
  };

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  async read(list: StreamList, skip: number, take: number): Promise<ListPage> {
    const known = this.#known[list];
    const now = performance.now();
    for (const [index, { until }] of known) if (until < now) known.delete(index);
    const positions = new Map([...known].map(([index, { position }]) => [index, position]));
    const page = await this.#queue.readPage(list, { skip, take, known: positions });
    // What is read from an end of the list says nothing about the middle.
    if (!page.isNear) known.delete(skip);
    for (const [index, position] of page.positions) {
      known.delete(index);
      known.set(index, { position, until: now + KEEP_MS });
    }
    for (const [index] of known) if (known.size > MOST_KEPT) known.delete(index);
    return page;
  }

  /** Whether the page that begins at this index was about there when it was read. */
  isNear(list: string | undefined, skip: number): boolean {
    return (list === 'waiting' || list === 'failed') && this.#known[list].has(skip);
  }
}
