import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { LARGE_READ } from '../script-runner.js';
import { toRow } from './lib/job-rows.js';
import type { JobRow, RawRow } from './lib/job-rows.js';

const EMPTY = Buffer.alloc(0);

export interface LookUpJobReply {
  /** `live`: the row says where it is. `''`: Redis has no record of the job, and the caller has to search. */
  state: 'live' | 'completed' | 'failed' | '';
  /** Redis's clock, unix ms. */
  now: number;
  /** Undefined if the bytes of the job are not known. */
  row: JobRow | undefined;
}

export interface LookUpJobOptions {
  jobId: string;
  /** Where it was when it was last seen, if it was: its member in the delayed set or in the room, */
  member?: Buffer | undefined;
  /** its entry in the work stream, */
  entryId?: string | undefined;
  /** or its dead letter. The reply has the one of this id, of whatever job it is. */
  dlqId?: string | undefined;
}

/** Where one job is, as far as Redis knows it without a search. */
export async function lookUpJob(
  runner: ScriptRunner,
  keys: QueueKeys,
  { jobId, member = EMPTY, entryId = '', dlqId = '' }: LookUpJobOptions,
): Promise<LookUpJobReply> {
  const reply = await runner.run('look-up-job', keys, [jobId, member, entryId, dlqId], LARGE_READ);
  const [state, now, row] = reply as [Buffer, Buffer, (RawRow | null)?];
  return {
    state: state.toString() as LookUpJobReply['state'],
    now: Number(now),
    row: row ? toRow(row) : undefined,
  };
}
