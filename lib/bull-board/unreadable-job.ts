import { createHash } from 'node:crypto';
import { isValid } from 'ulid';
import type { QueueJobJson } from '@bull-board/api/typings/app';
import type { ChasquiError, Job, JobState, Queue } from '../engine/index.js';
import { answering, BoardError } from './board-error.js';
import { MARK } from './board-id.js';
import { BoardJob } from './board-job.js';
import { rawText } from './shown-value.js';

type Ref = Parameters<Queue['readUnreadable']>[0];
type Place = NonNullable<Job['place']>;

/** The id of a row: the mark, and where the job is. What {@link toBoardId} makes of an id of a job is never of this form. */
const ROW = /^⟦(entry|dead letter|member) ([\da-f-]+)⟧$/;

/** The row that an id of the board means; undefined if it is the id of a job. */
export function toRowRef(shown: string): Ref | undefined {
  const [, kind, value = ''] = ROW.exec(shown) ?? [];
  if (kind === 'member') return { kind, sha1: value };
  if (kind === undefined || !/^\d{1,20}-\d{1,20}$/.test(value)) return undefined;
  return kind === 'entry' ? { kind, entryId: value } : { kind: 'letter', dlqId: value };
}

function rowId({ entryId, dlqId, member }: Place): string {
  if (entryId !== undefined) return `${MARK}entry ${entryId}⟧`;
  if (dlqId !== undefined) return `${MARK}dead letter ${dlqId}⟧`;
  const sha1 = createHash('sha1')
    .update(member ?? '')
    .digest('hex');
  return `${MARK}member ${sha1}⟧`;
}

/**
 * The job of a list or of a page as the board shows it.
 * @param characters the most characters of its data and of its result
 * @param isSuperseded its id leads to another job
 */
export function toBoardJob(queue: Queue, job: Job, characters: number, isSuperseded: boolean): BoardJob {
  if (isSuperseded) return new SupersededLetter(queue, job, characters);
  return job.place?.unreadable ? new UnreadableJob(queue, job, characters) : new BoardJob(job, characters);
}

/**
 * Which dead letters of a list have an id that leads to another job: that was added later, with the same id of the caller's. What the
 * board did with them by their id, it would do with the other job.
 */
export async function supersededAmong(queue: Queue, jobs: readonly Job[]): Promise<ReadonlySet<Job>> {
  const letters = jobs.filter(
    ({ id, place }) => place?.dlqId !== undefined && !place.unreadable && !isValid(id),
  );
  const found = await Promise.all(letters.map((job) => atIdOf(queue, job)));
  const ids = letters.map(({ id }) => id);
  return new Set(
    letters.filter(
      ({ id, place }, index) =>
        found[index]?.place?.dlqId !== place?.dlqId || ids.indexOf(id) !== ids.lastIndexOf(id),
    ),
  );
}

/** The job that the id of a dead letter leads to; undefined if no caller could have given it that id. */
async function atIdOf(queue: Queue, { id, place }: Job): Promise<Job | undefined> {
  try {
    return await queue.readJob(id, place);
  } catch (error) {
    if ((error as Partial<ChasquiError>).code === 'CMQ-004') return undefined;
    throw error;
  }
}

/**
 * A job whose bytes cannot be decoded, or have no id. Its row has an id that says where it is. It can be removed, and a dead letter
 * that can be decoded can be replayed. All else is refused.
 */
class UnreadableJob extends BoardJob {
  override readonly id: string;
  readonly #queue: Queue;
  readonly #job: Job;
  readonly #place: Place;
  /** Why it is not like other jobs. */
  protected readonly why: string;

  constructor(queue: Queue, job: Job, characters: number) {
    super(job, characters);
    this.#queue = queue;
    this.#job = job;
    this.#place = job.place ?? {};
    this.id = rowId(this.#place);
    this.why = job.data === undefined ? 'The bytes cannot be decoded' : 'The job has no id';
  }

  override async remove(): Promise<void> {
    const state = await answering(() => this.#queue.removeUnreadable(this.#place));
    if (state === 'removed') return;
    if (state === 'unknown') throw new BoardError(404, 'It is not there any more. Nothing was removed.');
    throw new BoardError(
      409,
      'A worker has it now, so it cannot be removed. It becomes a dead letter, which can. Nothing was changed.',
    );
  }

  override async retry(): Promise<void> {
    const { dlqId } = this.#place;
    const isMoved =
      dlqId !== undefined && (await answering(() => this.#queue.replayDlq({ ids: [dlqId], limit: 1 }))) > 0;
    if (isMoved) return;
    throw this.refusal(this.whyNotReplayed);
  }

  protected get whyNotReplayed(): string {
    return (
      'it cannot be replayed: the worker would make it a dead letter again. Its bytes are the payload in queue.getDlq(). To run the ' +
      'job, add it again in code'
    );
  }

  override promote(): Promise<void> {
    return Promise.reject(this.refusal('it cannot be promoted. When it is due, it becomes a dead letter'));
  }

  override changeDelay(): Promise<void> {
    return Promise.reject(this.refusal('its delay cannot be changed'));
  }

  override changePriority(): Promise<void> {
    return Promise.reject(this.refusal('its priority cannot be changed'));
  }

  override updateData(): Promise<void> {
    return Promise.reject(this.refusal('its data cannot be edited'));
  }

  override getState(): Promise<JobState> {
    return Promise.resolve(this.#job.state ?? 'unknown');
  }

  override toJSON(): QueueJobJson {
    const json = super.toJSON();
    const { bytes, since } = this.#place.unreadable ?? { bytes: Buffer.alloc(0), since: 0 };
    return {
      ...json,
      name: json.name === '' ? '⟦no name⟧' : json.name,
      timestamp: json.timestamp === 0 || this.#job.timestamp === 0 ? since : json.timestamp,
      // Data that can be decoded is shown: then only the id is missing.
      data: (this.#job.data === undefined ? rawText(bytes) : json.data) as unknown,
    };
  }

  protected refusal(what: string): BoardError {
    return new BoardError(409, `${this.why}, so ${what}. Nothing was changed. Remove is possible.`);
  }
}

/** A dead letter whose id does not lead to it. It can be removed, and replayed once its id is free. */
class SupersededLetter extends UnreadableJob {
  protected override readonly why: string;

  constructor(queue: Queue, job: Job, characters: number) {
    super(queue, job, characters);
    this.why = `The id of this dead letter, "${job.id}", does not lead to it: another job has that id now, or nobody can ask for it`;
  }

  protected override get whyNotReplayed(): string {
    return 'it cannot be replayed while another one waits or runs';
  }

  override toJSON(): QueueJobJson {
    const json = super.toJSON();
    return {
      ...json,
      stacktrace: [
        ...(json.stacktrace ?? []),
        `${this.why}. What is done here is done with this dead letter.`,
      ],
    };
  }
}
