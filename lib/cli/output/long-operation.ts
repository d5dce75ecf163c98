import type { OperationOptions, OperationProgress } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { progressBar } from './progress.js';

/** What a long operation has done, as it said last. */
export interface Reached {
  done: number;
  skipped: number;
}

/**
 * Runs a long operation of the engine with a progress bar. Ctrl-C stops it between two steps. If it stops early, a note says
 * how far it came.
 * @param what such as `Deleting`
 * @param inWords what was done, such as `3 dead letters`
 */
export async function longOperation<T>(
  context: Context,
  what: string,
  total: number | undefined,
  inWords: (done: number) => string,
  act: (operation: Required<OperationOptions>) => Promise<T>,
): Promise<Reached & { result: T }> {
  const progress = await progressBar(context.out, what, total);
  const reached: Reached = { done: 0, skipped: 0 };
  const onProgress = ({ done, total: known, skipped = 0 }: OperationProgress): void => {
    reached.done = done;
    reached.skipped = skipped;
    progress.update({ done: done + skipped, total: known });
  };
  try {
    const result = await act({ signal: context.signal, onProgress });
    progress.stop();
    return { ...reached, result };
  } catch (error) {
    progress.stop();
    if (reached.done > 0)
      context.out.note(`${what} stopped after ${inWords(reached.done)}. What was done stays done.`);
    throw error;
  }
}
