import type { AddReply, FullGroup } from '../../redis/scripts/add.js';
import { DurabilityError, GroupFullError, QueueFullError } from '../base/errors.js';
import { NO_DUPLICATES, accept, refuse } from './group.js';
import type { Duplicates, Group } from './group.js';

/**
 * Settles each group of a call with its part of the reply.
 * @param unconfirmed why accepted jobs do not count as durable
 */
export function settleGroups(
  groups: readonly Group[],
  reply: AddReply,
  queue: string,
  unconfirmed: string | undefined,
): void {
  const { length, refused, duplicates, full } = reply;
  let from = 0;
  groups.forEach((group, index) => {
    const to = from + group.jobs.length;
    const tooLarge = full.find((of) => of.index === index);
    if (tooLarge) refuse(group, groupFull(queue, group, tooLarge, from));
    else if (refused.includes(index)) refuse(group, new QueueFullError(queue, length, group.capacity));
    else if (unconfirmed !== undefined) refuse(group, unconfirmedError(group, unconfirmed));
    else if (duplicates.length === 0) accept(group, NO_DUPLICATES);
    else accept(group, duplicatesOf(group, from, to, reply));
    from = to;
  });
}

function groupFull(
  queue: string,
  { jobs }: Group,
  { job, waiting }: FullGroup,
  from: number,
): GroupFullError {
  const { group = '', maxSize = 0 } = jobs[job - from]?.room ?? {};
  return new GroupFullError(queue, group, waiting, maxSize);
}

/** The duplicates among the jobs of a group, which are the jobs `from` to `to` of the call. */
function duplicatesOf(group: Group, from: number, to: number, { duplicates, holders }: AddReply): Duplicates {
  const found = new Map<number, string>();
  duplicates.forEach((job, at) => {
    if (job < from || job >= to) return;
    const index = job - from;
    const holder = holders[at] ?? '';
    found.set(index, holder === '' ? (group.jobs[index] as { id: string }).id : holder);
  });
  return found;
}

function unconfirmedError(group: Group, why: string): DurabilityError {
  return new DurabilityError(
    `Added, but not confirmed: ${why}. The jobs are in the queue. They are lost only if the master fails before a replica catches up. To add them again safely, give them a jobId.`,
    group.jobs.map(({ id }) => id),
  );
}
