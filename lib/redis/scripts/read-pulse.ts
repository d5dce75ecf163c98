import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** What gauges show of a queue beside its backlog. */
export interface Pulse {
  /** Workers of all processes. */
  workers: number;
  /** Completed jobs that are kept. */
  completed: number;
}

/** Reads a queue's pulse at one instant. */
export async function readPulse(
  runner: ScriptRunner,
  keys: QueueKeys,
  { limit }: { limit: number },
): Promise<Pulse> {
  const [workers = 0, completed = 0] = (await runner.run('read-pulse', keys, [limit])) as number[];
  return { workers, completed };
}
