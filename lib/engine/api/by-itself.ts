import { sleep } from '../../redis/timer.js';
import { ConnectionError } from '../base/errors.js';

/** Between two attempts to start. */
const RETRY_MS = 1_000;

interface Runnable {
  run(): Promise<void>;
  readonly isClosed: boolean;
}

/**
 * Runs a worker or a subscription whose user does not call `run()`, from the next microtask on. While Redis is away, it
 * tries again until Redis answers or the user closes it.
 */
export function runByItself(runnable: Runnable, report: (error: unknown) => void): void {
  queueMicrotask(() => void tryUntilStarted(runnable, report));
}

async function tryUntilStarted(runnable: Runnable, report: (error: unknown) => void): Promise<void> {
  while (!runnable.isClosed) {
    try {
      await runnable.run();
      return;
    } catch (error) {
      report(error);
      if (!(error instanceof ConnectionError)) return;
    }
    // The connection, which keeps trying, also keeps the process alive. This timer need not.
    await sleep(RETRY_MS, { unref: true });
  }
}
