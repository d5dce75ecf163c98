import { messageOf, type Queue } from '../engine/index.js';
import type { Finding } from './finding.js';
import { NoAnswerError, within } from './within.js';

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

/** Says why Redis did not answer, and what to check. */
export function unreachable(connection: string, queue: Queue, error: unknown): string {
  const { address, status, lastError } = queue.connectionInfo;
  const where = `Redis at ${address} (connection "${connection}")`;
  if (!(error instanceof NoAnswerError)) return `${where} cannot be used: ${messageOf(error)}`;
  if (status === 'ready') {
    return `${where} is connected and gave ${error.message}: it hangs, is busy with a slow command, or the network loses packets.`;
  }
  const why = lastError === undefined ? '' : `; last error: ${lastError}`;
  return `${where} is not connected (${status}${why}): check that it runs and that this process can reach it.`;
}
