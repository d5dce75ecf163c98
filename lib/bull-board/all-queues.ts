import type {
  BullBoardQueues,
  BullBoardRequest,
  ControllerHandlerReturnType,
} from '@bull-board/api/typings/app';
import { messageOf } from '../engine/index.js';
import { BoardError } from './board-error.js';
import { ChasquiAdapter } from './chasqui.adapter.js';

export type Handler = (request: BullBoardRequest) => Promise<ControllerHandlerReturnType>;
/** A queue of the board, also one of Bull Board's own adapters. */
type Adapter = BullBoardQueues extends Map<string, infer Value> ? Value : never;

/**
 * Answers requests about all queues, although the Redis of some cannot be reached: these are shown as such, and the others as
 * always. If it is that of all queues, the answer is the error.
 */
export class AllQueues {
  readonly #down = new Set<ChasquiAdapter>();

  /** The handler of a route of Bull Board; undefined for a route that is not about all queues. */
  handlerOf(route: string, handler: Handler): Handler | undefined {
    switch (route) {
      case '/api/queues':
        return async (request) => withNotes(await this.#answer(handler, request), request);
      case '/api/job-schedulers':
        return (request) => this.#answer(handler, request);
      case '/api/redis/stats':
        // Its handler reads the statistics of the first queue.
        return (request) =>
          this.#answer((shown) => handler({ ...shown, queues: this.#upFirst(shown.queues) }), request);
      case '/api/queues/pause':
        return (request) => changeAll(request, 'paused', (queue) => queue.pause());
      case '/api/queues/resume':
        return (request) => changeAll(request, 'resumed', (queue) => queue.resume());
      default:
        return undefined;
    }
  }

  async #answer(handler: Handler, request: BullBoardRequest): Promise<ControllerHandlerReturnType> {
    this.#askAgain(request.queues);
    for (;;) {
      try {
        return await handler({ ...request, queues: this.#shown(request.queues) });
      } catch (error) {
        if (!this.#findDown(request.queues)) throw error;
      }
    }
  }

  /** Nothing waits for the answers: the next poll of the board profits from them. */
  #askAgain(queues: BullBoardQueues): void {
    const shown = new Set<unknown>(queues.values());
    for (const queue of this.#down) {
      // A queue that was closed and registered again has another adapter.
      if (!shown.has(queue)) this.#down.delete(queue);
      queue.getJobCounts().then(
        () => this.#down.delete(queue),
        () => undefined,
      );
    }
  }

  /** Whether there is news: a queue whose Redis could be reached before, while that of another one still can be. */
  #findDown(queues: BullBoardQueues): boolean {
    const before = this.#down.size;
    for (const queue of queues.values()) {
      if (queue instanceof ChasquiAdapter && queue.trouble) this.#down.add(queue);
    }
    return this.#down.size > before && this.#isPartly(queues);
  }

  #isPartly(queues: BullBoardQueues): boolean {
    return [...queues.values()].some((queue) => !this.#isDown(queue));
  }

  #isDown(queue: Adapter): boolean {
    return queue instanceof ChasquiAdapter && this.#down.has(queue);
  }

  /** In the same order: the page lists them in this one. */
  #shown(queues: BullBoardQueues): BullBoardQueues {
    if (this.#down.size === 0 || !this.#isPartly(queues)) return queues;
    return new Map(
      [...queues].map(([name, queue]) => [
        name,
        this.#isDown(queue) ? standInFor(name, queue as ChasquiAdapter) : queue,
      ]),
    );
  }

  #upFirst(queues: BullBoardQueues): BullBoardQueues {
    return new Map([...queues].sort(([, a], [, b]) => Number(STAND_INS.has(a)) - Number(STAND_INS.has(b))));
  }
}

/** Of queues that are down. */
const STAND_INS = new WeakSet<Adapter>();

/** The same queue without anything that is in Redis. */
function standInFor(name: string, queue: ChasquiAdapter): Adapter {
  const none =
    <T>(value: T) =>
    (): Promise<T> =>
      Promise.resolve(value);
  const counts = Object.fromEntries(queue.getJobStatuses().map((status) => [status, 0]));
  const reason = messageOf(queue.trouble);
  const standIn = Object.assign(Object.create(queue) as Adapter, {
    getName: () => name,
    getDisplayName: () => `${queue.getDisplayName() || name} (Redis cannot be reached)`,
    getDescription: () => [reason, queue.getDescription()].filter(Boolean).join(' '),
    getJobCounts: none(counts),
    getJobs: none([]),
    isPaused: none(false),
    getGlobalConcurrency: none(null),
    getActiveRateLimitTtl: none(0),
    getJobSchedulersCount: none(0),
    getJobSchedulers: none([]),
    getWorkers: none(null),
    getRedisInfo: none(null),
  });
  STAND_INS.add(standIn);
  return standIn;
}

interface ShownQueue {
  name: string;
  description?: string | undefined;
  pagination: { range: { start: number } };
}

const ABOUT =
  'This page is about where its number says: the list is long, and the middle of it is not counted.';

/** Says which page is only about where its number says. */
function withNotes(
  result: ControllerHandlerReturnType,
  { queues, query }: BullBoardRequest,
): ControllerHandlerReturnType {
  const { queues: shown = [] } = result.body as { queues?: ShownQueue[] };
  const active = shown.find(({ name }) => encodeURIComponent(name) === query['activeQueue']);
  const adapter = active && queues.get(active.name);
  if (active && adapter instanceof ChasquiAdapter) {
    const status = query['status'] as string | undefined;
    if (adapter.isNear(status, active.pagination.range.start)) {
      active.description = [ABOUT, active.description].filter(Boolean).join(' ');
    }
  }
  return result;
}

/** Goes on after a queue that cannot be changed, and says at the end which ones are not. */
async function changeAll(
  request: BullBoardRequest,
  done: 'paused' | 'resumed',
  change: (queue: Adapter) => Promise<void>,
): Promise<ControllerHandlerReturnType> {
  const failures: string[] = [];
  for (const [name, queue] of request.queues) {
    if (queue.readOnlyMode || !(await queue.isVisible(request))) continue;
    try {
      await change(queue);
    } catch (error) {
      failures.push(`"${name}": ${messageOf(error)}`);
    }
  }
  if (failures.length === 0) return { status: 200, body: {} };
  throw new BoardError(503, `Not ${done}: ${failures.join(' ')} All others are ${done}.`);
}
