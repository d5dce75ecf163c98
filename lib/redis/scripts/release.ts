import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptRunner } from '../script-runner.js';
import { fenceArgs, unsettledOf } from './lib/fence.js';
import type { FencedBatch, Unsettled } from './lib/fence.js';

export interface ReleasedJob {
  readonly entryId: string;
  /** The bytes of the Job where its attempt counter has changed. */
  readonly bytes: Buffer | undefined;
}

export interface ReleaseOptions extends FencedBatch, RepeatableCall {
  jobs: readonly ReleasedJob[];
  /** Release the jobs only if another worker of the group has read within so many ms. */
  othersMs: number | undefined;
}

export type ReleaseReply =
  ({ outcome: 'released'; count: number } & Unsettled) | { outcome: 'no-other-worker' };

/** Puts jobs that were fetched and not finished back at the end of the stream, with no attempt used. */
export async function release(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: ReleaseOptions,
): Promise<ReleaseReply> {
  const { jobs, othersMs, call } = options;
  const args = fenceArgs(options);
  args.push(othersMs ?? '');
  for (const { entryId, bytes } of jobs) args.push(entryId, bytes ?? '');
  const reply = await runner.run('release', keys, args, { call });
  const [count, ...rest] = reply as [number, ...number[]];
  if (count < 0) return { outcome: 'no-other-worker' };
  return { outcome: 'released', count, ...unsettledOf(rest) };
}
