import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** How long the clock rests between two questions, in ms. */
const RESTS_MS = 4;

/**
 * A clock for waits that a slow machine may lengthen: while `run` runs, the test asks Redis again and again. When the machine has no
 * time for the workers or for Redis, it has none for this either, so the answers that came during a wait say how much of it was wasted.
 * Resolves with what counts them, between two times of `performance.now()`. On an idle machine, there are about 190 a second.
 */
export async function countAnswers(
  client: Redis,
  run: () => Promise<void>,
): Promise<(from: number, to: number) => number> {
  const answers: number[] = [];
  let ends = false;
  const ask = async (): Promise<void> => {
    while (!ends) {
      await client.ping();
      answers.push(performance.now());
      await delay(RESTS_MS);
    }
  };
  const asking = ask();
  try {
    await run();
  } finally {
    ends = true;
    await asking;
  }
  return (from, to) => answers.filter((at) => at > from && at < to).length;
}
