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

/** A queue with any type of payloads, results and job names. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the type parameters are both inputs and outputs of methods
type AnyQueue = Queue<any, any, any>;

/** The events that `waitForJob` can wait for. */
export type JobMilestone = Exclude<RecordedName, 'drained'>;

/** Polls after this time without an event: a removed job, or a queue without events, emits none. */
const POLL_MS = 50;

export interface DrainOptions extends WaitOptions {
  /**
   * `due` (the default) waits for delayed jobs whose time has come. `all` also waits for later jobs, including retries
   * that wait for their backoff.
   */
  readonly delayed?: 'due' | 'all';
}

/**
 * Resolves when no job waits, none runs, and no delayed job is due.
 * @throws Error after the timeout; the message has the counts of the jobs that are left
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
          `${delayed} delayed, ${due} of them due. Check that a worker for this queue runs.`,
      );
    }
    await events.changed(POLL_MS);
  }
}

/**
 * Resolves with an event of a job, which may be in the past or still to come.
 *
 * @param which the id of the job, or a predicate; the first event that it accepts counts
 * @param milestone the event to wait for; a job whose handler ends at once may emit no `active`
 * @throws Error after the timeout; the message lists the events of the job
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
