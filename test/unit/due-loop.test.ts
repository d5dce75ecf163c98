import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DueLoop } from '../../lib/engine/timers/due-loop.js';
import type { PollResult } from '../../lib/engine/timers/due-loop.js';

const START = 1_700_000_000_000;

/** When the test began, by the monotonic clock. */
let begun = 0;
/** The time of the world, which Redis's clock shows; the clock of this host is set at will. */
const worldNow = (): number => START + performance.now() - begun;

/** A set of due times, and a log of the polls. */
class Due {
  /** How far Redis's clock is ahead of ours. */
  offset = 0;
  leads = true;
  due: number[] = [];
  most = 100;
  readonly polls: { at: number; lead: boolean; wakeIds: readonly string[] }[] = [];
  readonly errors: unknown[] = [];
  fail: Error | undefined;
  resigned = 0;
  /** For how long somebody else leads. */
  ledForMs: number | undefined;
  readonly loop: DueLoop;

  constructor(idleMs = 4_000) {
    this.loop = new DueLoop({
      poll: (lead, wakeIds) => this.poll(lead, wakeIds),
      idleMs,
      resign: () => {
        this.resigned += 1;
        return Promise.resolve();
      },
      onError: (error) => {
        this.errors.push(error);
      },
    });
  }

  get times(): number[] {
    return this.polls.map(({ at }) => at - START);
  }

  private async poll(lead: boolean, wakeIds: readonly string[]): Promise<PollResult> {
    this.polls.push({ at: worldNow(), lead, wakeIds: [...wakeIds] });
    if (this.fail) throw this.fail;
    const now = worldNow() + this.offset;
    if (lead) this.leads = true;
    if (!this.leads) return { leads: false, more: false, nextDue: undefined, now, ledForMs: this.ledForMs };
    const ready = this.due.filter((at) => at <= now).slice(0, this.most);
    this.due = this.due.filter((at) => !ready.includes(at));
    return { leads: true, more: ready.length >= this.most, nextDue: this.due[0], now };
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  begun = performance.now();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a due loop', () => {
  test('polls at its start, then when something is due, and then once per idle time', async () => {
    const due = new Due();
    due.due = [START + 1_500];
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(due.times).toEqual([0, 1_500, 5_500, 9_500]);
    await due.loop.stop(0);
  });

  test('judges by Redis’s clock', async () => {
    const due = new Due(60_000);
    due.offset = 5_000;
    due.due = [START + 5_800];
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(due.times).toEqual([0, 800]);
    await due.loop.stop(0);
  });

  test('polls again at once while there may be more', async () => {
    const due = new Due();
    due.most = 2;
    due.due = [START - 5, START - 4, START - 3, START - 2, START - 1];
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(due.times).toEqual([0, 0, 0]);
    expect(due.due).toEqual([]);
    await due.loop.stop(0);
  });

  test('is woken for something earlier: leads at once, and polls again when it is due', async () => {
    const due = new Due();
    due.leads = false;
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(100);
    due.due = [START + 300];
    due.loop.wake({ due: START + 300, entryId: '7-0' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(due.polls.slice(1)).toEqual([
      { at: START + 100, lead: true, wakeIds: ['7-0'] },
      { at: START + 300, lead: false, wakeIds: [] },
    ]);
    expect(due.due).toEqual([]);
    await due.loop.stop(0);
  });

  test('a wake for a later time than planned causes no extra poll', async () => {
    const due = new Due();
    due.due = [START + 200];
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(10);
    due.due.push(START + 900);
    due.loop.wake({ due: START + 900 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(due.times).toEqual([0, 200, 900]);
    await due.loop.stop(0);
  });

  test('a wake without a time causes a poll at once', async () => {
    const due = new Due();
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(50);
    due.loop.wake();
    await vi.advanceTimersByTimeAsync(1);
    expect(due.times).toEqual([0, 50]);
    await due.loop.stop(0);
  });

  test('a follower polls once per idle time, so that it can replace a dead leader', async () => {
    const due = new Due(1_000);
    due.leads = false;
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(due.times).toEqual([0, 1_000, 2_000, 3_000]);
    await due.loop.stop(0);
  });

  test('a follower polls when the leader’s lock expires', async () => {
    const due = new Due(60_000);
    due.leads = false;
    due.ledForMs = 300;
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(310);
    expect(due.times).toEqual([0, 305]);
    await due.loop.stop(0);
  });

  test('gives up the lead when it stops', async () => {
    const due = new Due();
    await due.loop.start();
    await due.loop.stop(100);
    expect(due.resigned).toBe(1);
  });

  test('reports a failed poll and repeats it with its wake entries', async () => {
    const due = new Due();
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(10);
    due.fail = new Error('socket');
    due.loop.wake({ entryId: '7-0' });
    await vi.advanceTimersByTimeAsync(1);
    due.fail = undefined;
    await vi.advanceTimersByTimeAsync(1_500);
    expect(due.errors).toEqual([new Error('socket')]);
    expect(due.polls.map(({ lead, wakeIds }) => ({ lead, wakeIds }))).toEqual([
      { lead: false, wakeIds: [] },
      { lead: true, wakeIds: ['7-0'] },
      { lead: true, wakeIds: ['7-0'] },
    ]);
    await due.loop.stop(0);
  });

  test('a due time far away does not overflow the timer', async () => {
    const due = new Due(2 ** 40);
    due.due = [START + 2 ** 33];
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(due.times).toEqual([0]);
    await due.loop.stop(0);
  });

  test('does not poll and leaves no timer after it has stopped', async () => {
    const due = new Due(1_000);
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(10);
    await due.loop.stop(0);
    due.loop.wake();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(due.times).toEqual([0]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ['an hour forward', 3_600_000],
    ['an hour back', -3_600_000],
    ['to 1970', -START],
  ])('the clock of this host may be set %s at any moment', async (_, step) => {
    const due = new Due();
    due.due = [START + 2_500];
    await due.loop.start();
    await vi.advanceTimersByTimeAsync(100);
    vi.setSystemTime(Date.now() + step);
    due.due.unshift(START + 300);
    due.loop.wake({ due: START + 300 });
    await vi.advanceTimersByTimeAsync(100);
    vi.setSystemTime(Date.now() - step);
    due.due.push(START + 2_700);
    due.loop.wake({ due: START + 2_700 });
    vi.setSystemTime(Date.now() - step);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(due.times).toEqual([0, 300, 2_500, 2_700]);
    await due.loop.stop(0);
  });

  test('a poll is planned by the monotonic clock that it is given', async () => {
    const polls: number[] = [];
    let monotonic = 5_000;
    const loop = new DueLoop({
      poll: () => {
        polls.push(monotonic);
        return Promise.resolve({ leads: true, more: false, nextDue: undefined, now: START + monotonic });
      },
      idleMs: 1_000,
      clock: { monotonic: () => monotonic },
      onError: () => undefined,
    });
    await loop.start();
    await vi.advanceTimersByTimeAsync(0);
    monotonic = 5_100;
    loop.wake({ due: START + 5_150 });
    await vi.advanceTimersByTimeAsync(49);
    expect(polls).toEqual([5_000]);
    await vi.advanceTimersByTimeAsync(1);
    expect(polls).toHaveLength(2);
    await loop.stop(0);
  });

  test('does not poll for a wake before the start', async () => {
    const due = new Due();
    due.loop.wake();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(due.polls).toEqual([]);
  });
});
