import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CommitQueue } from '../../lib/engine/worker/settle/commit-queue.js';
import { ConnectionError } from '../../lib/engine/base/errors.js';

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** Commits that the test lets through one by one. */
class Gate {
  readonly batches: number[][] = [];
  readonly errors: unknown[] = [];
  #settle: ((error?: Error) => void)[] = [];
  readonly queue: CommitQueue<number>;

  constructor(most = 100, calls = 1) {
    this.queue = new CommitQueue<number>({
      most,
      calls,
      commit: (batch) => {
        this.batches.push([...batch]);
        return new Promise((resolve, reject) => {
          this.#settle.push((error) => {
            if (error) reject(error);
            else resolve();
          });
        });
      },
      onError: (error) => {
        this.errors.push(error);
      },
    });
  }

  async pass(error?: Error): Promise<void> {
    this.#settle.shift()?.(error);
    await tick();
    await tick();
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a commit queue', () => {
  test('items of one tick leave together, at its end', async () => {
    const { queue, batches } = new Gate();
    queue.push(1);
    queue.push(2);
    expect(batches).toEqual([]);
    expect(queue.size).toBe(2);
    await tick();
    expect(batches).toEqual([[1, 2]]);
    expect(queue.size).toBe(2);
  });

  test('what comes while a call is under way goes with the next', async () => {
    const gate = new Gate();
    const { queue, batches } = gate;
    queue.push(1);
    await tick();
    queue.push(2);
    queue.push(3);
    await tick();
    expect(batches.length).toBe(1);
    await gate.pass();
    expect(batches).toEqual([[1], [2, 3]]);
    await gate.pass();
    expect(queue.size).toBe(0);
  });

  test('a call takes no more than its most, and keeps the order', async () => {
    const gate = new Gate(2);
    for (const item of [1, 2, 3, 4, 5]) gate.queue.push(item);
    await tick();
    for (let i = 0; i < 3; i++) await gate.pass();
    expect(gate.batches).toEqual([[1, 2], [3, 4], [5]]);
    expect(gate.queue.size).toBe(0);
  });

  test('a failed call is reported and made again with the same batch, until it succeeds', async () => {
    const gate = new Gate();
    gate.queue.push(1);
    await tick();
    gate.queue.push(2);
    await gate.pass(new Error('gone'));
    expect(gate.errors).toEqual([new Error('gone')]);
    expect(gate.batches.length).toBe(1);
    await vi.advanceTimersByTimeAsync(50);
    await gate.pass(new Error('still gone'));
    await vi.advanceTimersByTimeAsync(100);
    await gate.pass();
    expect(gate.batches).toEqual([[1], [1], [1], [2]]);
  });

  test('pauses grow, and never beyond a second', async () => {
    const gate = new Gate();
    gate.queue.push(1);
    await tick();
    for (let i = 0; i < 12; i++) {
      await gate.pass(new Error('gone'));
      await vi.advanceTimersByTimeAsync(1_000);
      expect(gate.batches.length).toBe(i + 2);
    }
  });

  test('idle resolves when the last item is committed', async () => {
    const gate = new Gate(1);
    const idle = vi.fn();
    gate.queue.push(1);
    gate.queue.push(2);
    void gate.queue.idle().then(idle);
    await tick();
    await gate.pass();
    expect(idle).not.toHaveBeenCalled();
    await gate.pass();
    expect(idle).toHaveBeenCalled();
    await gate.queue.idle();
  });

  test('after abandon it accepts nothing, commits nothing again, and is idle', async () => {
    const gate = new Gate(1);
    const idle = vi.fn();
    gate.queue.push(1);
    gate.queue.push(2);
    await tick();
    void gate.queue.idle().then(idle);
    expect(gate.queue.abandon()).toEqual([2]);
    await tick();
    expect(idle).toHaveBeenCalled();
    gate.queue.push(3);
    await gate.pass(new Error('gone'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(gate.batches.length).toBe(1);
    await gate.queue.idle();
  });

  test('with several calls at once: full batches do not wait for each other, the rest waits for the last of them', async () => {
    const gate = new Gate(2, 3);
    const { queue, batches } = gate;
    for (let i = 1; i <= 9; i += 1) queue.push(i);
    await tick();
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(queue.size).toBe(9);
    await gate.pass();
    expect(batches.slice(3)).toEqual([[7, 8]]);
    queue.push(10);
    await gate.pass();
    expect(batches.slice(4)).toEqual([[9, 10]]);
    const idle = queue.idle();
    queue.push(11);
    await tick();
    expect(batches).toHaveLength(5);
    for (let i = 0; i < 3; i += 1) await gate.pass();
    expect(batches[5]).toEqual([11]);
    await gate.pass();
    await idle;
    expect(queue.size).toBe(0);
  });

  test('an item that cannot be sent is refused; the others of its batch are committed', async () => {
    const committed: number[] = [];
    const errors: unknown[] = [];
    const refused: [number, unknown][] = [];
    const poison = new RangeError('too long');
    const queue = new CommitQueue<number>({
      most: 10,
      commit: (batch) => {
        if (batch.includes(3)) return Promise.reject(poison);
        committed.push(...batch);
        return Promise.resolve();
      },
      onError: (error) => errors.push(error),
      refuse: (item, error) => refused.push([item, error]),
    });
    for (let i = 1; i <= 5; i += 1) queue.push(i);
    await queue.idle();
    expect(committed).toEqual([1, 2, 4, 5]);
    expect(refused).toEqual([[3, poison]]);
    expect(errors).toEqual([]);
    queue.push(6);
    await queue.idle();
    expect(committed).toEqual([1, 2, 4, 5, 6]);
  });

  test('a commit that Redis or the network refuses is made again, however often, and each failure is reported', async () => {
    const refused = vi.fn();
    const reported: unknown[] = [];
    let failures = 0;
    const queue = new CommitQueue<number>({
      most: 10,
      commit: () => (failures++ < 2 ? Promise.reject(new ConnectionError('WRONGTYPE')) : Promise.resolve()),
      onError: (_error, failed) => reported.push(failed),
      refuse: refused,
    });
    queue.push(1);
    queue.push(2);
    const idle = queue.idle();
    await vi.advanceTimersByTimeAsync(1_000);
    await idle;
    expect(refused).not.toHaveBeenCalled();
    expect(reported).toEqual([
      { items: 2, failures: 1, againMs: 50 },
      { items: 2, failures: 2, againMs: 100 },
    ]);
  });
});

test('a call takes as many items as its bytes allow, and at least one', async () => {
  const batches: number[][] = [];
  const queue = new CommitQueue<number>({
    most: 10,
    commit: (batch) => {
      batches.push(batch);
      return Promise.resolve();
    },
    onError: () => undefined,
    weigh: (megabytes) => megabytes * 1024 * 1024,
  });
  for (const item of [1, 2, 9, 1, 1, 1, 1, 1]) queue.push(item);
  await queue.idle();
  expect(batches).toEqual([[1, 2], [9], [1, 1, 1, 1], [1]]);
});
