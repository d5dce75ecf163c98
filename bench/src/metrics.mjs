/**
 * What can be measured. `better` says which way a ratio has to lie to meet its target.
 *
 * @type {Record<string, { label: string, unit: string, better: 'higher' | 'lower', digits: number }>}
 */
export const METRICS = {
  rate: { label: '', unit: 'jobs/s', better: 'higher', digits: 0 },
  clientCpuUs: { label: 'client CPU per job', unit: 'µs', better: 'lower', digits: 2 },
  redisCpuUs: { label: 'Redis CPU per job', unit: 'µs', better: 'lower', digits: 2 },
  stallMs: { label: 'event-loop delay, p99', unit: 'ms', better: 'lower', digits: 1 },
  p50Ms: { label: 'p50', unit: 'ms', better: 'lower', digits: 3 },
  p99Ms: { label: 'p99', unit: 'ms', better: 'lower', digits: 3 },
  bytesPerJob: { label: '', unit: 'B', better: 'lower', digits: 0 },
  heapMiB: { label: 'heap after GC', unit: 'MiB', better: 'lower', digits: 2 },
  peakHeapMiB: { label: 'peak heap', unit: 'MiB', better: 'lower', digits: 1 },
  connections: { label: 'connections', unit: '', better: 'lower', digits: 0 },
  slowestCallMs: { label: 'slowest call', unit: 'ms', better: 'lower', digits: 1 },
  redisMsPerSecond: { label: 'Redis CPU per second', unit: 'ms', better: 'lower', digits: 2 },
  takeUs: { label: 'Redis per job', unit: 'µs', better: 'lower', digits: 1 },
  redisShare: { label: 'Redis busy', unit: '%', better: 'lower', digits: 0 },
  allowedShare: { label: 'of what the handlers allow', unit: '%', better: 'higher', digits: 0 },
  machineShare: { label: 'all cores busy', unit: '%', better: 'lower', digits: 0 },
  commandsPerSecond: { label: 'commands', unit: '/s', better: 'lower', digits: 1 },
};

/** A value as people read it: `12,345 jobs/s`. */
export function format(key, value, { unit = true } = {}) {
  if (value === undefined || Number.isNaN(value)) return '–';
  const { unit: name, digits } = METRICS[key];
  const text = value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  if (!unit || name === '') return text;
  return name.startsWith('/') ? `${text}${name}` : `${text} ${name}`;
}

export function formatRatio(ratio) {
  if (!ratio) return '–';
  const text = (value) => value.toFixed(value < 10 ? 2 : 1);
  return `${text(ratio.median)}× (${text(ratio.min)}–${text(ratio.max)})`;
}
