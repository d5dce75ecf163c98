import type { Queue } from '../engine/index.js';
import { unreachable } from '../nest/runtime/unreachable.js';
import { within } from '../nest/runtime/within.js';
import type { Finding } from './finding.js';

export const ANSWER_TIMEOUT_MS = 1_000;

/** Sends a PING over the connection that the queue shares with the other queues. */
export async function checkConnection(name: string, queue: Queue, timeoutMs: number): Promise<Finding> {
  try {
    const latency = await within(queue.ping(), timeoutMs);
    const details = { ...detailsOf(queue), latencyMs: Math.round(latency * 10) / 10 };
    return { name, details, faults: [] };
  } catch (error) {
    return { name, details: detailsOf(queue), faults: [unreachable(name, queue, error)] };
  }
}

/** The details without the eviction policy if that policy drops nothing. */
function detailsOf(queue: Queue): object {
  const { evictionPolicy, ...details } = queue.connectionInfo;
  return evictionPolicy === undefined || evictionPolicy === 'noeviction'
    ? details
    : { ...details, evictionPolicy };
}
