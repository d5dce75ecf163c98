import type { QueueKeys } from '../../redis/keys.js';
import { changeJob } from '../../redis/scripts/change-job.js';
import type { ChangedState } from '../../redis/scripts/change-job.js';
import { findMembers } from '../../redis/scripts/find-members.js';
import type { JobRow } from '../../redis/scripts/lib/job-rows.js';
import { readDeadLetters } from '../../redis/scripts/read-dead-letters.js';
import { readEntries } from '../../redis/scripts/read-entries.js';
import type { CommandLink } from '../connection/command-link.js';
import type { JobPlace } from '../job/job-actions.js';
import type { Job, JobOwner } from '../job/job.js';
import { removeLetter } from './change-job.js';
import { OPERATION_STEP } from './look/step.js';
import { toJob } from './look/to-job.js';

// Jobs whose bytes cannot be decoded, or have no id. No id leads to them, so they are found by their place.

/** What finds such a job again. A member may be long, so its SHA-1 digest in hex stands for it. */
export type UnreadableRef =
  | { readonly kind: 'entry'; readonly entryId: string }
  | { readonly kind: 'letter'; readonly dlqId: string }
  | { readonly kind: 'member'; readonly sha1: string };

/**
 * The job; undefined if it is not there any more, or if an id leads to it. Of a dead letter, an id may lead to a later job, so that is
 * returned in any case.
 */
export async function readUnreadable(
  owner: JobOwner,
  link: CommandLink,
  keys: QueueKeys,
  ref: UnreadableRef,
): Promise<Job | undefined> {
  const found = await findRow(link, keys, ref);
  const job = found && toJob(owner, found.row, found.now);
  return job?.place?.unreadable || ref.kind === 'letter' ? job : undefined;
}

interface Found {
  readonly row: JobRow;
  /** Redis's clock at that time, unix ms; 0 where nothing depends on it. */
  readonly now: number;
}

async function findRow(link: CommandLink, keys: QueueKeys, ref: UnreadableRef): Promise<Found | undefined> {
  if (ref.kind === 'member') return findMember(link, keys, ref.sha1);
  const step = { ...OPERATION_STEP, order: 'oldest' } as const;
  if (ref.kind === 'letter') {
    const only = { from: ref.dlqId, to: ref.dlqId, filter: {} };
    const [letter] = (await readDeadLetters(link, keys, { ...step, ...only })).letters;
    return letter && { row: { kind: 'letter', letter }, now: 0 };
  }
  const only = { from: ref.entryId, to: ref.entryId, state: 'any', filter: {} } as const;
  const [row] = (await readEntries(link, keys, { ...step, ...only })).entries;
  return row && { row, now: 0 };
}

async function findMember(link: CommandLink, keys: QueueKeys, sha1: string): Promise<Found | undefined> {
  for (const place of ['delayed', 'room'] as const) {
    let cursor: string | undefined;
    do {
      const options = { ...OPERATION_STEP, place, cursor, sha1, filter: {} };
      const slice = await findMembers(link, keys, options);
      const [row] = slice.found;
      if (row) return { row, now: slice.now };
      cursor = slice.cursor;
    } while (cursor !== undefined);
  }
  return undefined;
}

/**
 * Removes such a job, unless it is active: `removed`, or the state that does not allow it; `unknown` = it is not there. Entries and
 * dead letters never change, so what was read is what is removed.
 */
export async function removeUnreadable(
  link: CommandLink,
  keys: QueueKeys,
  { entryId, member, dlqId }: JobPlace,
  eventsCap: number,
): Promise<ChangedState | 'removed'> {
  if (dlqId === undefined) {
    const change = { change: 'remove' } as const;
    const { state, done } = await changeJob(link, keys, { id: '', entryId, member, change, eventsCap });
    return done ? 'removed' : state;
  }
  return (await removeLetter(link, keys, dlqId, eventsCap)) ? 'removed' : 'unknown';
}
