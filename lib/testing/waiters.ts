import type { Backlog, Queue } from '../engine/index.js';
import {
  describe,
  jobIdOf,
  recordEvents,
  WAIT_MS,
  type RecordedData,
  type RecordedName,
  type WaitOptions,
} from './event-recorder.js';

/** A queue whatever its payloads, results and job names are. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a type parameter that stands on both sides of methods
type AnyQueue = Queue<any, any, any>;

/** What a job can be waited for to be: the event that tells it. */
export type JobMilestone = Exclude<RecordedName, 'drained'>;

/** Looks again after so long without an event: a job may go without one, `remove`d or with events off. */
const LOOK_MS = 50;

export interface DrainOptions extends WaitOptions {
  /**
   * `due` (the default) waits for delayed jobs whose time has come. `all` waits for the others too, and so for retries
   * whose backoff runs.
   */
  readonly delayed?: 'due' | 'all';
}

/**
 * Resolves when nothing waits, nothing runs, and no delayed job is due.
 * @throws Error after the timeout, with what is left
 */
export async function drain(queue: AnyQueue, options: DrainOptions = {}): Promise<void> {
  const { delayed: which = 'due', timeoutMs = WAIT_MS } = options;
  const isDrained = ({ waiting, active, delayed, due }: Backlog): boolean =>
    waiting + active + (which === 'all' ? delayed : due) === 0;
  if (isDrained(await queue.getBacklog())) return;
  const deadline = performance.now() + timeoutMs;
  await using events = await recordEvents(queue);
  for (;;) {
    const backlog = await queue.getBacklog();
    if (isDrained(backlog)) return;
    if (performance.now() >= deadline) {
      const { waiting, active, delayed, due } = backlog;
      throw new Error(
        `Queue "${queue.name}" was not drained within ${timeoutMs} ms: ${waiting} waiting, ${active} active, ` +
          `${delayed} delayed, ${due} of them due. Does a worker of it run?`,
      );
    }
    await events.changed(LOOK_MS);
  }
}

/**
 * Resolves with the event that says that a job has got so far, be it long ago or still to come.
 *
 * @param which the job's id, or what its event must be like; the first one that fits counts
 * @param milestone `active` is announced for handlers that run for a moment; the others always are
 * @throws Error after the timeout, with the events of the job that there were
 */
export async function waitForJob<Milestone extends JobMilestone>(
  queue: AnyQueue,
  which: string | ((event: RecordedData<Milestone>) => boolean),
  milestone: Milestone,
  { timeoutMs = WAIT_MS }: WaitOptions = {},
): Promise<RecordedData<Milestone>> {
  await using events = await recordEvents(queue, { lastEventId: '0' });
  const accepts =
    typeof which === 'string'
      ? (event: RecordedData<Milestone>) => (event as { jobId?: string }).jobId === which
      : which;
  try {
    return await events.waitFor(milestone, accepts, { timeoutMs });
  } catch (error) {
    if (typeof which !== 'string') throw error;
    const seen = events.all.filter((event) => jobIdOf(event) === which).map(describe);
    throw new Error(
      `Job ${which} of queue "${queue.name}" was not "${milestone}" within ${timeoutMs} ms. ` +
        `Its events so far: ${seen.length === 0 ? 'none' : seen.join(', ')}.`,
      { cause: error },
    );
  }
}
