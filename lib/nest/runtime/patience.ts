import type { Logger } from '@nestjs/common';
import { CONNECT_TIMEOUT_MS } from '../../engine/connection/command-link.js';
import { ERROR_CODES, type Queue } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';

/** A server that is up answers within this time. */
const PATIENCE_MS = 1_000;

/**
 * Logs which Redis the boot waits for. The error itself comes after `connectTimeoutMs`, and a test runner may have given
 * up by then.
 */
export async function whileWaiting(
  logger: Logger,
  queues: readonly Queue[],
  ready: Promise<unknown>,
): Promise<void> {
  const timer = setTimeout(() => {
    // An error, because the logger of Nest's test modules prints only errors.
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
      `The boot fails if Redis does not answer within ${String(connectTimeoutMs)} ms (connectTimeoutMs).`,
  ];
}
