import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';

const SETTLE_MS = 1_000;
const POLL_MS = 10;

/** The name by which the tests' own connections are known, and left out. */
export const CONTROL_NAME = 'test-control';

/** Finds the connections to some servers that were not there before. */
export class LeakCheck {
  readonly #before = new Map<Redis, ReadonlySet<string>>();

  /** Takes what is open now for what may be open. */
  async remember(controls: readonly Redis[]): Promise<void> {
    for (const control of controls) this.#before.set(control, new Set((await listClients(control)).keys()));
  }

  /**
   * Waits up to a second for the connections that are new since `remember` to close.
   *
   * @throws Error with those that did not; they are closed then, so that only the test that left them fails
   */
  async verify(controls: readonly Redis[]): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    const leaked: string[] = [];
    for (const control of controls) {
      let left = await this.#newClients(control);
      while (left.size > 0 && performance.now() < deadline) {
        await delay(POLL_MS);
        left = await this.#newClients(control);
      }
      for (const [id, line] of left) {
        leaked.push(line);
        await control.client('KILL', 'ID', id);
      }
    }
    if (leaked.length === 0) return;
    throw new Error(`The test left ${leaked.length} connection(s) to Redis open:\n  ${leaked.join('\n  ')}`);
  }

  async #newClients(control: Redis): Promise<ReadonlyMap<string, string>> {
    const before = this.#before.get(control);
    return new Map([...(await listClients(control))].filter(([id]) => before?.has(id) !== true));
  }
}

/** CLIENT LIST by client id, without the tests' own connections and those of replicas, masters and sentinels. */
async function listClients(control: Redis): Promise<ReadonlyMap<string, string>> {
  const clients = new Map<string, string>();
  for (const line of String(await control.client('LIST')).split('\n')) {
    const id = /\bid=(\d+)/.exec(line)?.[1];
    const name = /\bname=(\S*)/.exec(line)?.[1] ?? '';
    const flags = /\bflags=(\S*)/.exec(line)?.[1] ?? '';
    if (id === undefined || name === CONTROL_NAME || name.startsWith('sentinel-') || /[SM]/.test(flags))
      continue;
    clients.set(id, line.trim());
  }
  return clients;
}
