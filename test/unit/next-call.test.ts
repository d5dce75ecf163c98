import { expect, it } from 'vitest';
import { NextCall } from '../../lib/engine/base/next-call.js';

interface Calls {
  readonly calls: NextCall;
  /** Ends the call that is under way; with an error if there is one. */
  end: (error?: Error) => void;
  underWay: number;
  most: number;
  begun: number;
}

function counted(): Calls {
  const counts: Calls = {
    calls: new NextCall(async () => {
      counts.begun += 1;
      counts.underWay += 1;
      counts.most = Math.max(counts.most, counts.underWay);
      try {
        await new Promise<void>((resolve, reject) => {
          counts.end = (error) => {
            if (error) reject(error);
            else resolve();
          };
        });
      } finally {
        counts.underWay -= 1;
      }
    }),
    end: () => undefined,
    underWay: 0,
    most: 0,
    begun: 0,
  };
  return counts;
}

it('all that ask while a call is under way share the one after it', async () => {
  const counts = counted();
  const first = counts.calls.call();
  const others = [counts.calls.call(), counts.calls.call(), counts.calls.call()];
  expect(counts.begun).toBe(1);
  counts.end();
  await first;
  await expect.poll(() => counts.begun).toBe(2);
  counts.end();
  await Promise.all(others);
  expect(counts.begun).toBe(2);
});

it.each([
  ['ends', undefined],
  ['fails', new Error('no answer')],
])('a call never overlaps with another one: who asks at any moment after one %s', async (_, error) => {
  for (let ticks = 0; ticks < 12; ticks += 1) {
    const counts = counted();
    const first = counts.calls.call();
    const second = counts.calls.call();
    counts.end(error);
    for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    const third = counts.calls.call();
    await (error ? expect(first).rejects.toBe(error) : first);
    await expect.poll(() => counts.underWay).toBe(1);
    counts.end();
    await second;
    if (third !== second) {
      await expect.poll(() => counts.underWay).toBe(1);
      counts.end();
      await third;
    }
    expect([ticks, counts.most]).toEqual([ticks, 1]);
  }
});
