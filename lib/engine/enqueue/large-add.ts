import { isImmediate } from '../../redis/scripts/add.js';
import { ConfigError, ConnectionError, DurabilityError, messageOf } from '../base/errors.js';
import { MAX_CALL_BYTES } from '../connection/read-size.js';
import { MAX_CALL_JOBS } from './group.js';
import type { Duplicates } from './group.js';
import type { NewJob } from './new-job.js';

/** Slices of one large add that are under way at once. */
const SLICES_IN_FLIGHT = 4;

/** Jobs of a large add, by their index in it, that go into one call. */
interface Slice {
  indices: number[];
  bytes: number;
}

/** Adds the jobs of one slice. Resolves with the duplicates, by their indices within the slice. */
type AddSlice = (jobs: readonly NewJob[], bytes: number, maxStreamLen: number) => Promise<Duplicates>;

/**
 * Adds more jobs than one call may hold, all or none. Immediate jobs go first, because only they take room in the stream.
 * The first slice asks for room for all of them. When Redis has accepted it, the other slices follow without a bound.
 *
 * @returns the duplicates
 * @throws ConfigError (CMQ-004) for jobs with `group.maxSize`
 */
export async function addInSlices(
  jobs: readonly NewJob[],
  maxStreamLen: number,
  addSlice: AddSlice,
): Promise<Duplicates> {
  if (jobs.some(({ room }) => room && room.maxSize > 0)) {
    throw new ConfigError(
      `addBulk: with group.maxSize, one call can add at most ${String(MAX_CALL_JOBS)} jobs, of 4 MB together, because it is refused as a whole. Add the jobs in several calls.`,
    );
  }
  const duplicates = new Map<number, string>();
  let unconfirmed: DurabilityError | undefined;
  let added = 0;
  const add = async ({ indices, bytes }: Slice, bound: number): Promise<void> => {
    try {
      const ofSlice = indices.map((index) => jobs[index] as NewJob);
      for (const [index, holder] of await addSlice(ofSlice, bytes, bound)) {
        duplicates.set(indices[index] as number, holder);
      }
    } catch (error) {
      // The jobs of this slice are in the queue, so the other slices follow.
      if (!(error instanceof DurabilityError)) throw error;
      unconfirmed ??= error;
    }
    added += indices.length;
  };

  const [first, ...others] = slicesOf(jobs) as [Slice, ...Slice[]];
  const immediate = jobs.filter(isImmediate).length;
  const later = Math.max(0, immediate - first.indices.length);
  await add(first, maxStreamLen === 0 ? 0 : Math.max(1, maxStreamLen - later));

  let next = 0;
  const addOthers = async (): Promise<void> => {
    for (let slice = others[next++]; slice; slice = others[next++]) await add(slice, 0);
  };
  const ends = await Promise.allSettled(Array.from({ length: SLICES_IN_FLIGHT }, addOthers));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw partlyAdded(added, jobs.length, failed.reason);
  if (unconfirmed) {
    throw new DurabilityError(
      unconfirmed.message,
      jobs.map(({ id }) => id),
    );
  }
  return duplicates;
}

/** Immediate jobs first, each kind in its order. */
function slicesOf(jobs: readonly NewJob[]): Slice[] {
  const rank = (index: number): number => (isImmediate(jobs[index] as NewJob) ? 0 : 1);
  const order = [...jobs.keys()].sort((a, b) => rank(a) - rank(b) || a - b);
  const slices: Slice[] = [];
  let slice: Slice | undefined;
  for (const index of order) {
    const { length } = (jobs[index] as NewJob).payload;
    if (!slice || slice.indices.length === MAX_CALL_JOBS || slice.bytes + length > MAX_CALL_BYTES) {
      slice = { indices: [], bytes: 0 };
      slices.push(slice);
    }
    slice.indices.push(index);
    slice.bytes += length;
  }
  return slices;
}

function partlyAdded(added: number, all: number, reason: unknown): ConnectionError {
  const cause = reason instanceof ConnectionError && reason.cause !== undefined ? reason.cause : reason;
  return new ConnectionError(
    `${String(added)} of ${String(all)} jobs were added before a call failed. Whether the others were added is unknown. Jobs that have a jobId can be added again safely. ${messageOf(cause)}`,
    { unknownOutcome: true, cause: reason },
  );
}
