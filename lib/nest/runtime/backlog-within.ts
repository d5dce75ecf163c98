import type { Backlog, Queue } from '../../engine/index.js';
import { within } from './within.js';

/**
 * Reads the backlog of a queue, as one consumer group sees it.
 * @throws NoAnswerError if Redis does not answer within `timeoutMs`; ConnectionError (CMQ-001)
 */
export async function backlogWithin(queue: Queue, group: string, timeoutMs: number): Promise<Backlog> {
  const begun = performance.now();
  // A shared PING goes first: while Redis hangs, this queues no commands that Redis must answer later.
  await within(queue.ping(), timeoutMs);
  const left = timeoutMs - (performance.now() - begun);
  return within(queue.getBacklog(group), left);
}
