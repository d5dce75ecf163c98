import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

export interface RestartLeasesOptions {
  group: string;
  /** What the call before replied; undefined = from the first lease. */
  from: string | undefined;
  /** The caller knows that the clock was set back. False: the script looks whether the stream shows it. */
  clockWasSetBack: boolean;
}

/** Begins leases anew that start in the future of Redis's clock. Resolves with where to go on, undefined at the end. */
export async function restartLeases(
  runner: ScriptRunner,
  keys: QueueKeys,
  { group, from = '-', clockWasSetBack }: RestartLeasesOptions,
): Promise<string | undefined> {
  const next = (await runner.run('restart-leases', keys, [
    group,
    from,
    clockWasSetBack ? '1' : '',
  ])) as string;
  return next === '' ? undefined : next;
}
