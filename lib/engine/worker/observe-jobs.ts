import type { QueueKeys } from '../../redis/keys.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobCounters } from './health.js';
import type { WorkerHooks } from './hooks.js';
import { JobEvents } from './job-events.js';
import { JobMetrics } from './job-metrics.js';
import type { InFlight } from './lease/in-flight.js';
import { MinuteCounts } from './minute-counts.js';
import { toJobObserver } from './observe-worker.js';
import type { WorkerSettings } from './settings.js';
import type { Announcer } from './settle/announcer.js';

/** Those that every worker has. */
interface Observers {
  announcer: Announcer;
  counters: JobCounters;
  hooks: WorkerHooks;
}

/**
 * Lets all observers of a worker hear of the transitions of its jobs, in the order in which each hears of one.
 * @returns the counts by the minute, which have to be stopped; undefined if the worker keeps none
 */
export function observeJobs(
  inFlight: InFlight,
  link: CommandLink,
  keys: QueueKeys,
  settings: WorkerSettings,
  { announcer, counters, hooks }: Observers,
  onError: (error: unknown) => void,
): MinuteCounts | undefined {
  const { metrics, maxDataPoints, observed } = settings;
  const minutes = maxDataPoints > 0 ? new MinuteCounts(link, keys, maxDataPoints, onError) : undefined;
  inFlight.observe(announcer);
  inFlight.observe(counters);
  if (minutes) inFlight.observe(minutes);
  inFlight.observe(new JobMetrics(metrics));
  if (observed) inFlight.observe(toJobObserver(observed));
  inFlight.observe(new JobEvents(keys.queue, settings, hooks));
  return minutes;
}
