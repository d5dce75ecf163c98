import { Timer } from '../engine/base/deadline.js';

/** What `within` throws when nothing has come in time. */
export class NoAnswerError extends Error {}

/** The answer, or a rejection after `ms`: a probe must be answered also when Redis is not. */
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
