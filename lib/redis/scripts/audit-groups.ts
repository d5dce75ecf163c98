import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface AuditReply {
  /** How many slots and groups were fixed. */
  fixed: number;
  /** Call again in so many ms. */
  againMs: number;
}

/** How many slots and groups one call looks at: about 1 ms of Redis's time. */
const MOST = 150;

/** Compares what Redis knows of groups with what is true, one step further, and fixes what differs. */
export async function auditGroups(runner: ScriptRunner, keys: QueueKeys): Promise<AuditReply> {
  const [fixed, againMs] = (await runner.run('audit-groups', keys, [MOST])) as [number, number];
  return { fixed, againMs };
}
