import { Timer } from '../../engine/base/deadline.js';

/** `within` rejects with it if the answer does not come in time. */
export class NoAnswerError extends Error {}

/** Resolves with the answer, or rejects after `ms`: who asks must get an answer even if Redis does not. */
export async function within<T>(answer: Promise<T>, ms: number): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = new Timer(ms, () => {
      reject(new NoAnswerError(`no answer within ${Math.ceil(ms)} ms`));
    });
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer?.clear();
  }
}
