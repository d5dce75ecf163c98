import { describe, expect, it } from 'vitest';
import { ServerTime } from '../../lib/engine/worker/lease/server-time.js';

const UNIX = 1_700_000_000_000;
const HOUR = 3_600_000;

describe('Redis’s clock beside ours', () => {
  it.each([
    ['steady', 10_000, 0, 2],
    ['steady, though the call took long', 10_000, 0, 5_000],
    ['steady, though it drifts', 10_000, 40, 2],
    ['forward', 10_000, HOUR, 2],
    ['forward', 10_000, 1_600, 2],
    ['back', 10_000, -HOUR, 2],
    ['back', 10_000, -1_600, 2],
  ])('%s', (reading, after, step, took) => {
    const time = new ServerTime(1_000);
    expect(time.read(UNIX, 100, 101)).toBe('first');
    // Carried out when the reply leaves.
    const unix = UNIX + after + took + step;
    expect(time.read(unix, 100 + after, 100 + after + took)).toBe(reading.split(',')[0]);
    expect(time.read(unix + 5_000, 5_100 + after + took, 5_101 + after + took)).toBe('steady');
  });

  it('tells the latest time that a call may find, and none before the first reading', () => {
    const time = new ServerTime(1_000);
    expect(time.latest(50)).toBe(0);
    time.read(UNIX, 100, 101);
    expect(time.latest(5_100)).toBe(UNIX + 5_000 + 1_000);
    // Sent long before it was answered: when it was carried out nobody knows, so it does not count.
    time.read(UNIX + 10_000, 5_100, 10_102);
    expect(time.latest(11_100)).toBe(UNIX + 11_000 + 1_000);
  });

  it('a slow drift is never a step, however much it adds up to', () => {
    const time = new ServerTime(1_000);
    const drift = 1.0005;
    for (let ms = 0; ms < 100 * HOUR; ms += HOUR / 60) {
      expect(time.read(UNIX + ms * drift, ms, ms + 1)).toBe(ms === 0 ? 'first' : 'steady');
    }
  });
});
