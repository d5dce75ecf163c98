import type { Logger } from '@nestjs/common';
import { CONNECT_TIMEOUT_MS } from '../../engine/connection/connections.js';
import { ERROR_CODES, type Queue } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';

/** How long a server that is there takes to answer at most. */
const PATIENCE_MS = 1_000;

/**
 * Says in the log which Redis the boot waits for. The error comes when `connectTimeoutMs` is over, and a test runner may
 * have lost its patience by then.
 */
export async function whileWaiting(
  logger: Logger,
  queues: readonly Queue[],
  ready: Promise<unknown>,
): Promise<void> {
  const timer = setTimeout(() => {
    // An error, as the logger of Nest's test modules prints nothing else.
    for (const line of new Set(queues.flatMap(waitsFor))) logger.error(printable(line));
  }, PATIENCE_MS);
  try {
    await ready;
  } finally {
    clearTimeout(timer);
  }
}

function waitsFor({ connectionInfo, opts }: Queue): readonly string[] {
  const { address, status, lastError } = connectionInfo;
  if (status === 'ready') return [];
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = opts;
  return [
    `${ERROR_CODES.connection}: Redis at ${address} has not been reached yet (${lastError ?? 'no answer'}). ` +
      `The boot fails if it is not there within ${String(connectTimeoutMs)} ms (connectTimeoutMs).`,
  ];
}
