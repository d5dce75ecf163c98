import type { QueueKeys } from '../../redis/keys.js';
import { readLogs } from '../../redis/scripts/read-logs.js';
import type { CommandLink } from '../connection/command-link.js';

/** A part of the log of a job. */
export interface JobLogs {
  logs: string[];
  /** How many rows the whole log has. */
  count: number;
}

/** Rows of a log. Positions count from 0, or from the end with -1 as the last row; `isAsc` false counts from the newest row. */
export async function getJobLogs(
  link: CommandLink,
  keys: QueueKeys,
  jobId: string,
  start: number,
  end: number,
  isAsc: boolean,
): Promise<JobLogs> {
  const [first, to] = isAsc ? [start, end] : [-(end + 1), -(start + 1)];
  const logs: string[] = [];
  let count = 0;
  for (let from: number | undefined = first; from !== undefined;) {
    const slice = await readLogs(link, keys, { jobId, from, to });
    for (const row of slice.rows) logs.push(row);
    count = slice.count;
    from = slice.next;
  }
  return { logs: isAsc ? logs : logs.reverse(), count };
}

/** Deletes the log, or all but its newest rows. */
export async function clearJobLogs(
  link: CommandLink,
  keys: QueueKeys,
  jobId: string,
  keepLogs: number,
): Promise<void> {
  const key = keys.jobLogs(jobId);
  if (keepLogs === 0) await link.call('DEL', [key]);
  else await link.call('LTRIM', [key, -keepLogs, -1]);
}
