import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Lane } from '../../lib/engine/worker/settle/commit-queue.js';
import { ConnectionError } from '../../lib/engine/base/errors.js';

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** Commits that the test lets through one by one. */
class Gate {
  readonly calls: { batch: number[]; retried: boolean }[] = [];
  readonly errors: unknown[] = [];
  #settle: ((error?: Error) => void)[] = [];
  readonly lane: Lane<number>;

  constructor(most = 100, calls = 1) {
    this.lane = new Lane<number>(
      most,
      (batch, retried) => {
        this.calls.push({ batch: [...batch], retried });
        return new Promise((resolve, reject) => {
          this.#settle.push((error) => {
            if (error) reject(error);
            else resolve();
          });
        });
      },
      (error) => {
        this.errors.push(error);
      },
      calls,
    );
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

describe('a lane', () => {
  test('items of one tick leave together, at its end', async () => {
    const { lane, calls } = new Gate();
    lane.push(1);
    lane.push(2);
    expect(calls).toEqual([]);
    expect(lane.size).toBe(2);
    await tick();
    expect(calls).toEqual([{ batch: [1, 2], retried: false }]);
    expect(lane.size).toBe(2);
  });

  test('what comes while a call is under way goes with the next', async () => {
    const gate = new Gate();
    const { lane, calls } = gate;
    lane.push(1);
    await tick();
    lane.push(2);
    lane.push(3);
    await tick();
    expect(calls.length).toBe(1);
    await gate.pass();
    expect(calls.map(({ batch }) => batch)).toEqual([[1], [2, 3]]);
    await gate.pass();
    expect(lane.size).toBe(0);
  });

  test('a call takes no more than its most, and keeps the order', async () => {
    const gate = new Gate(2);
    for (const item of [1, 2, 3, 4, 5]) gate.lane.push(item);
    await tick();
    for (let i = 0; i < 3; i++) await gate.pass();
    expect(gate.calls.map(({ batch }) => batch)).toEqual([[1, 2], [3, 4], [5]]);
    expect(gate.lane.size).toBe(0);
  });

  test('a failed call is reported and made again with the same batch, until it succeeds', async () => {
    const gate = new Gate();
    gate.lane.push(1);
    await tick();
    gate.lane.push(2);
    await gate.pass(new Error('gone'));
    expect(gate.errors).toEqual([new Error('gone')]);
    expect(gate.calls.length).toBe(1);
    await vi.advanceTimersByTimeAsync(50);
    await gate.pass(new Error('still gone'));
    await vi.advanceTimersByTimeAsync(100);
    await gate.pass();
    expect(gate.calls).toEqual([
      { batch: [1], retried: false },
      { batch: [1], retried: true },
      { batch: [1], retried: true },
      { batch: [2], retried: false },
    ]);
  });

  test('pauses grow, and never beyond a second', async () => {
    const gate = new Gate();
    gate.lane.push(1);
    await tick();
    for (let i = 0; i < 12; i++) {
      await gate.pass(new Error('gone'));
      await vi.advanceTimersByTimeAsync(1_000);
      expect(gate.calls.length).toBe(i + 2);
    }
  });

  test('idle resolves when the last item is committed', async () => {
    const gate = new Gate(1);
    const idle = vi.fn();
    gate.lane.push(1);
    gate.lane.push(2);
    void gate.lane.idle().then(idle);
    await tick();
    await gate.pass();
    expect(idle).not.toHaveBeenCalled();
    await gate.pass();
    expect(idle).toHaveBeenCalled();
    await gate.lane.idle();
  });

  test('abandoned, it takes nothing, tries nothing again, and is idle', async () => {
    const gate = new Gate(1);
    const idle = vi.fn();
    gate.lane.push(1);
    gate.lane.push(2);
    await tick();
    void gate.lane.idle().then(idle);
    gate.lane.abandon();
    await tick();
    expect(idle).toHaveBeenCalled();
    gate.lane.push(3);
    await gate.pass(new Error('gone'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(gate.calls.length).toBe(1);
    await gate.lane.idle();
  });

  test('with several calls at once: full batches do not wait for each other, the rest waits for the last of them', async () => {
    const gate = new Gate(2, 3);
    const { lane, calls } = gate;
    for (let i = 1; i <= 9; i += 1) lane.push(i);
    await tick();
    expect(calls.map(({ batch }) => batch)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(lane.size).toBe(9);
    await gate.pass();
    expect(calls.map(({ batch }) => batch).slice(3)).toEqual([[7, 8]]);
    lane.push(10);
    await gate.pass();
    expect(calls.map(({ batch }) => batch).slice(4)).toEqual([[9, 10]]);
    const idle = lane.idle();
    lane.push(11);
    await tick();
    expect(calls).toHaveLength(5);
    for (let i = 0; i < 3; i += 1) await gate.pass();
    expect(calls[5]?.batch).toEqual([11]);
    await gate.pass();
    await idle;
    expect(lane.size).toBe(0);
  });

  test('an item that cannot be sent is given up alone; the others of its batch are committed', async () => {
    const committed: number[] = [];
    const errors: unknown[] = [];
    const refused: [number, unknown][] = [];
    const poison = new RangeError('too long');
    const lane = new Lane<number>(
      10,
      (batch) => {
        if (batch.includes(3)) return Promise.reject(poison);
        committed.push(...batch);
        return Promise.resolve();
      },
      (error) => errors.push(error),
      1,
      (item, error) => refused.push([item, error]),
    );
    for (let i = 1; i <= 5; i += 1) lane.push(i);
    await lane.idle();
    expect(committed).toEqual([1, 2, 4, 5]);
    expect(refused).toEqual([[3, poison]]);
    expect(errors).toEqual([]);
    lane.push(6);
    await lane.idle();
    expect(committed).toEqual([1, 2, 4, 5, 6]);
  });

  test('what Redis or the network refuses is tried again, however often, and told with its consequence', async () => {
    const refused = vi.fn();
    const told: unknown[] = [];
    let failures = 0;
    const lane = new Lane<number>(
      10,
      () => (failures++ < 2 ? Promise.reject(new ConnectionError('WRONGTYPE')) : Promise.resolve()),
      (_error, failed) => told.push(failed),
      1,
      refused,
    );
    lane.push(1);
    lane.push(2);
    const idle = lane.idle();
    await vi.advanceTimersByTimeAsync(1_000);
    await idle;
    expect(refused).not.toHaveBeenCalled();
    expect(told).toEqual([
      { items: 2, failures: 1, againMs: 50 },
      { items: 2, failures: 2, againMs: 100 },
    ]);
  });
});

test('a call takes as many items as its bytes allow, and at least one', async () => {
  const batches: number[][] = [];
  const lane = new Lane<number>(
    10,
    (batch) => {
      batches.push(batch);
      return Promise.resolve();
    },
    () => undefined,
    1,
    undefined,
    (megabytes) => megabytes * 1024 * 1024,
  );
  for (const item of [1, 2, 9, 1, 1, 1, 1, 1]) lane.push(item);
  await lane.idle();
  expect(batches).toEqual([[1, 2], [9], [1, 1, 1, 1], [1]]);
});
