import { messageOf, type Queue } from '../../engine/index.js';
import { NoAnswerError } from './within.js';

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
