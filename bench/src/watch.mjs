import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 1;

/**
 * Starts the clock, and with it the processor time and the event-loop delay of this process.
 *
 * @returns stops it; times in µs of the machine's monotonic clock, which all processes share
 */
export function startWatch() {
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loop.enable();
  const cpu = process.cpuUsage();
  const startedUs = nowUs();
  return () => {
    const endedUs = nowUs();
    const used = process.cpuUsage(cpu);
    loop.disable();
    const stallMs = loop.count === 0 ? 0 : loop.percentile(99) / 1e6 - RESOLUTION_MS;
    return { startedUs, endedUs, cpuUs: used.user + used.system, stallMs: Math.max(stallMs, 0) };
  };
}

function nowUs() {
  return Number(process.hrtime.bigint() / 1000n);
}
