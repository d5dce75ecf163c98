import type { QueueKeys } from '../keys.js';
import type { RepeatableCall, ScriptArgument, ScriptRunner } from '../script-runner.js';

/** Fields of the policy: see lua/lib/limits.lua. Undefined: the limit is removed. */
export interface PolicyFields {
  /** How many jobs may be in flight. */
  concurrency?: number | undefined;
  /** How many jobs may start in `duration` ms. */
  max?: number | undefined;
  duration?: number | undefined;
  /** The same for each group: see lua/lib/group-policy.lua. */
  groupConcurrency?: number | undefined;
  groupMax?: number | undefined;
  groupDuration?: number | undefined;
  /** 1: the jobs of a group run one after the other, also when one fails. */
  groupStrict?: 1 | undefined;
}

/** What workers can declare: limits of the queue, and of each group. */
export type DeclaredKind = 'limiter' | 'group';

export interface SetPolicyOptions extends RepeatableCall {
  /** A worker declares this. It takes effect only if it differs from what was declared last. Undefined: a caller changes it. */
  declaredBy?: DeclaredKind | undefined;
  /** Of what a worker declares: it takes effect only if nothing of this kind is declared. */
  restores?: boolean;
  /** A caller removes the limits of this kind: then what the workers declare takes effect again. */
  removes?: DeclaredKind | undefined;
  fields: PolicyFields;
}

/** Changes the policy of a queue, and tells its workers. Resolves with whether this changed something. */
export async function setPolicy(
  runner: ScriptRunner,
  keys: QueueKeys,
  { declaredBy, restores = false, removes, fields, call }: SetPolicyOptions,
): Promise<boolean> {
  const pairs: ScriptArgument[] = Object.entries(fields as Record<string, number | undefined>).flatMap(
    ([field, value]) => [field, value ?? ''],
  );
  const as = declaredBy === undefined ? '' : JSON.stringify(fields);
  const args = [declaredBy ?? removes ?? '', as, restores ? '1' : '', ...pairs];
  return (await runner.run('set-policy', keys, args, { call })) === 1;
}
