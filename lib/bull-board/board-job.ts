import type { QueueJob, QueueJobJson } from '@bull-board/api/typings/app';
import type { AttemptRecord } from '../engine/index.js';
import type { Job, JobState } from '../engine/index.js';
import { answering, BoardError } from './board-error.js';
import { toBoardId } from './board-id.js';
import { shown, hasNote, UNDECODABLE, type Shown } from './shown-value.js';

/** The most characters of the options and of the progress. */
const SMALL = 10_000;
/** The most characters of a name. This package allows fewer, and other writers do not. */
const NAME = 500;
/** The most characters of a reason. */
const REASON = 4_000;

/** Refuses data that holds what the board shows instead of a value. @throws BoardError */
export function checkData(data: unknown): void {
  if (!hasNote(data)) return;
  throw new BoardError(
    400,
    'The data contains a note in ⟦…⟧, which the board shows for a value that JSON does not have, or that is too long. ' +
      'Nothing was changed. Replace the notes, or change the job in code.',
  );
}

/** What the dialog sends for a name that was left empty. */
const NO_NAME = '__default__';

/** Refuses what the dialogs that add a job must not add. @throws BoardError */
export function checkAdded(name: unknown, data: unknown, options: unknown): void {
  const refuse = (message: string): BoardError => new BoardError(400, `${message} Nothing was added.`);
  if (name === NO_NAME || name === '') {
    throw refuse('The job name is empty. Write the name that a handler of this queue has.');
  }
  if (hasNote(name))
    throw refuse('The job name is a note in ⟦…⟧, which the board shows where a job has none.');
  if ((options as { repeat?: unknown } | null | undefined)?.repeat !== undefined) {
    throw refuse(
      'The board adds no schedules. Add one in code, with queue.upsertJobScheduler(id, repeat, template).',
    );
  }
  checkData(data);
}

/** A job as Bull Board asks for it. Its errors say what to answer with. */
export class BoardJob implements QueueJob {
  readonly id: string;
  readonly opts: { delay?: number };
  readonly repeatJobKey?: string;
  readonly #job: Job;
  readonly #data: Shown;
  readonly #characters: number;

  /** @param characters the most characters of its data and of its result */
  constructor(job: Job, characters: number) {
    this.#job = job;
    this.#characters = characters;
    this.id = toBoardId(job.id);
    // The data of a job that was read is never undefined if it can be decoded.
    this.#data = job.data === undefined ? UNDECODABLE : shown(job.data, characters);
    this.opts = optionsOf(job);
    if (job.opts.repeatJobKey !== undefined) this.repeatJobKey = job.opts.repeatJobKey;
  }

  promote(): Promise<void> {
    return answering(() => this.#job.promote());
  }

  remove(): Promise<void> {
    return answering(() => this.#job.remove());
  }

  retry(state?: 'completed' | 'failed'): Promise<void> {
    return answering(() => this.#job.retry(state));
  }

  changeDelay(delay: number): Promise<void> {
    return answering(() => this.#job.changeDelay(delay));
  }

  /** @param options Bull Board asks for a priority alone; 0 = none */
  changePriority(options: { priority?: number; lifo?: boolean }): Promise<void> {
    return answering(() => this.#job.changePriority(options));
  }

  async updateData(data: unknown): Promise<void> {
    if (!this.#data.isExact) {
      throw new BoardError(
        409,
        'The board cannot show the data of this job as it is, so an edit here would lose a part of it. Nothing was changed. ' +
          'Change it in code, with job.updateData(data).',
      );
    }
    checkData(data);
    await answering(() => this.#job.updateData(data));
  }

  /** The state in which it was read: a change is fenced by it. */
  getState(): Promise<JobState> {
    return answering(() => Promise.resolve(this.#job.state ?? this.#job.getState()));
  }

  toJSON(): QueueJobJson {
    const job = this.#job;
    return {
      id: this.id === '' ? null : this.id,
      name: shown(job.name, NAME).value as string,
      progress: shown(job.progress, SMALL).value as object,
      attemptsMade: job.attemptsMade,
      finishedOn: job.finishedOn ?? null,
      processedOn: job.processedOn ?? null,
      processedBy: job.processedBy === undefined ? null : labelOf(job.processedBy),
      delay: this.opts.delay ?? 0,
      // Bytes that cannot be decoded do not say when the job was added.
      timestamp: job.timestamp === 0 ? (job.finishedOn ?? 0) : job.timestamp,
      failedReason: reasonOf(job) as string,
      stacktrace: tracesOf(job),
      data: this.#data.value,
      returnvalue: job.returnvalue === undefined ? null : shown(job.returnvalue, this.#characters).value,
      opts: this.opts,
      priority: job.priority,
      ...(job.deduplicationId !== undefined && { deduplicationId: job.deduplicationId }),
      ...(this.repeatJobKey !== undefined && { repeatJobKey: this.repeatJobKey }),
    };
  }
}

/** The delay as the board reads it: from the submission of the job on. */
function optionsOf(job: Job): { delay?: number } {
  const options = shown(job.opts, SMALL).value as { delay?: number };
  const { state, delay, timestamp } = job;
  if (state !== 'delayed' && state !== undefined) return options;
  return delay > 0 ? { ...options, delay: state ? Date.now() + delay - timestamp : delay } : options;
}

/** Of a dead letter: why it is one, and the detail. */
function reasonOf({ deadLetterReason, failedReason }: Job): string | undefined {
  const detail = failedReason?.slice(0, REASON);
  if (deadLetterReason === undefined || detail === deadLetterReason) return detail;
  return `${deadLetterReason}: ${detail ?? ''}`;
}

/**
 * One text per attempt that has failed or crashed, the oldest first; of a job that is not tracked, only the last stack is kept.
 * Then why the job is a dead letter: the board shows the texts instead of the reason, the last one first.
 */
function tracesOf(job: Job): string[] {
  const { attempts, stacktrace, state, deadLetterReason } = job;
  const runs = state === 'active' ? attempts?.at(-1) : undefined;
  const traces = attempts?.length
    ? attempts
        .filter((one) => one !== runs && (one.reason !== undefined || one.endedAt === undefined))
        .map(traceOf)
    : stacktrace;
  return deadLetterReason === undefined ? traces : [...traces, `Dead letter, ${reasonOf(job) ?? ''}`];
}

/** The id of a worker without its lease. */
function labelOf(worker: string): string {
  return worker.replace(/;lease=\d+$/, '');
}

function traceOf({ attempt, startedAt, endedAt, worker, host, reason, stack }: AttemptRecord): string {
  const time = (at: number): string => new Date(at).toISOString();
  const end = endedAt === undefined ? 'no end: the worker crashed or released it' : `failed ${time(endedAt)}`;
  const head = `Attempt ${String(attempt)}, started ${time(startedAt)}, ${end}, on ${host}, ${labelOf(worker)}`;
  return [head, stack ?? reason].filter(Boolean).join('\n');
}
