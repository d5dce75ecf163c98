import type { QueueKeys } from '../../../redis/keys.js';
import { EXTRAS } from '../../codec/extras.js';
import { readKeep } from '../../codec/keep.js';
import type { CommandLink } from '../../connection/command-link.js';
import type { Job } from '../../job/job.js';
import { applyTracked, readTracked } from '../tracked.js';
import type { Tracked } from '../tracked.js';

/** Adds to tracked jobs that have not completed what is kept of their attempts and progress. Costs no call for other jobs. */
export async function addTracked(link: CommandLink, keys: QueueKeys, jobs: readonly Job[]): Promise<void> {
  const tracked = jobs.filter((job) => job.state !== 'completed' && readKeep(job[EXTRAS]?.keep)?.tracked);
  if (tracked.length === 0) return;
  const kept = await readTracked(
    link,
    keys,
    tracked.map(({ id }) => id),
  );
  tracked.forEach((job, index) => {
    const { processedBy } = job;
    applyTracked(job, kept[index] as Tracked);
    // Of an active job, it is the worker that has it now.
    if (processedBy !== undefined) job.processedBy = processedBy;
  });
}
