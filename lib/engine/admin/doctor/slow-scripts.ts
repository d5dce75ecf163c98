import type { Master } from '../servers.js';
import type { Findings } from './finding.js';

/** A script of this package holds Redis for no longer than this, except on a very slow server. */
const SLOW_US = 20_000;
const ENTRIES = 128;
/** Older entries tell nothing of now. */
const RECENT_SECONDS = 86_400;

type Entry = [id: number, at: number, us: number, command: string[], ...unknown[]];

/** Looks for our scripts among the commands that Redis has found slow. */
export async function checkSlowScripts(
  findings: Findings,
  master: Master,
  nowSeconds: number,
): Promise<void> {
  await findings.attempt('slow-scripts', async () => {
    const entries = (await master.call('SLOWLOG', 'GET', ENTRIES)) as Entry[];
    const slow = entries.filter(([, at, us, command]) => {
      return (
        us >= SLOW_US &&
        nowSeconds - at < RECENT_SECONDS &&
        command.some((word) => word.includes('{chasqui:'))
      );
    });
    const worst = slow.reduce<Entry | undefined>(
      (most, one) => (most && most[2] >= one[2] ? most : one),
      undefined,
    );
    if (!worst) {
      findings.ok('slow-scripts', 'No command on a queue is in the slow log of the last day.');
      return;
    }
    const queue = /\{chasqui:([^}]+)\}/.exec(worst[3].join(' '))?.[1] ?? '';
    findings.warning(
      'slow-scripts',
      `${String(slow.length)} commands on queues were slow in the last day. The slowest, on queue ${queue}, blocked Redis for ${String(Math.round(worst[2] / 1000))} ms.`,
      'Look for a busy or swapping server first. If jobs are large, put their data elsewhere and only a reference into the job.',
    );
  });
}
