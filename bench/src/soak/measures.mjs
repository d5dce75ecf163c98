import { trendOf } from './trend.mjs';

const KIB = 1_024;
const MIB = KIB * KIB;

const bytes = (value) => `${(value / MIB).toFixed(2)} MiB`;
const whole = (value) => value.toFixed(0);

/*
 * What is sampled, and by how much it may rise while it is judged. A megabyte in an hour of 1.8 million jobs is half a
 * byte a job: compiled code and caches may take that, a list of forgotten jobs would take more.
 */
const PROCESS = {
  heap: { title: 'heap after GC', show: bytes, bound: { least: MIB, share: 0.08 } },
  external: { title: 'external', show: bytes, bound: { least: MIB, share: 0.2 } },
  // The allocator keeps what was needed at a peak.
  rss: { title: 'RSS', show: bytes, bound: { least: 16 * MIB, share: 0.15 } },
  handles: { title: 'open handles', show: whole, bound: { least: 2, share: 0 } },
  timers: { title: 'timers', show: whole, bound: { least: 20, share: 0.25 } },
};
const SERVER = {
  memory: { title: 'memory', show: bytes, bound: { least: 256 * KIB, share: 0.1 } },
  keys: { title: 'keys', show: whole, bound: { least: 50, share: 0.1 } },
  clients: { title: 'clients', show: whole, bound: { least: 1, share: 0 } },
  consumers: { title: 'consumers of the group', show: whole, bound: { least: 1, share: 0 } },
  delayed: { title: 'delayed jobs', show: whole, bound: { least: 50, share: 0.15 } },
};

/** Fewer samples say nothing about a trend. */
const FEWEST = 3;
const UNKNOWN = { first: NaN, last: NaN, perHour: NaN, allowed: NaN, grows: false };

export const PROCESSES = ['producer', 'worker', 'listener'];
const MEASURES = { ...Object.fromEntries(PROCESSES.map((name) => [name, PROCESS])), redis: SERVER };

/**
 * @param {readonly { at: number }[]} samples
 * @param {{ warmUpMs: number, judged: boolean }} times samples of the warm-up are left out of a run that is judged
 */
export function judge(samples, { warmUpMs, judged }) {
  const counted = judged ? samples.filter(({ at }) => at >= warmUpMs) : samples;
  return Object.entries(MEASURES).flatMap(([who, measures]) =>
    Object.entries(measures).map(([key, { title, bound }]) => {
      const values = counted.map((sample) => ({ at: sample.at, value: sample[who][key] }));
      const trend = values.length < FEWEST ? UNKNOWN : trendOf(values, bound);
      return {
        who,
        key,
        title: `${who === 'redis' ? 'Redis' : who}: ${title}`,
        ...trend,
        judged: judged && values.length >= FEWEST,
      };
    }),
  );
}

export function show({ who, key }, value) {
  return Number.isNaN(value) ? '–' : MEASURES[who][key].show(value);
}
