import { addressOf, isCluster, send } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { withDeadline } from '../../redis/deadline.js';
import { queueKeys } from '../../redis/keys.js';
import { ConnectionError, QueueNotFoundError } from '../base/errors.js';
import { nearestKeys } from '../config/nearest-key.js';
import type { Connection } from '../config/options.js';
import { CommandLink } from '../connection/command-link.js';
import type { LinkOptions } from '../connection/command-link.js';
import { toConnectionError } from '../connection/explain.js';

/** One master. */
export interface Master {
  /** Host and port. */
  readonly address: string;
  /** Sends any command. Bulk strings of the reply are decoded as UTF-8. */
  call(command: string, ...args: readonly (string | number)[]): Promise<unknown>;
}

/** How many keys one SCAN looks at: well below 1 ms of the server's time. */
const SCAN_COUNT = 1_000;

/** A queue exists if it has one of these. All but the first are empty most of the time. */
const MAIN_KEYS = ['stream', 'delayed', 'room', 'dlq', 'events', 'repeat', 'meta', 'completed'] as const;
const QUEUE_KEY = new RegExp(`^\\{chasqui:([^{}]+)\\}:(?:${MAIN_KEYS.join('|')})$`);

/**
 * The servers behind a connection, for tools that look at all queues. Shares the connection of the queues that have the
 * same options object.
 */
export class Servers {
  readonly link: CommandLink;

  /** @throws ConfigError (CMQ-004) for a connection that cannot be used */
  constructor(connection: Connection, options: LinkOptions = {}) {
    this.link = new CommandLink(connection, options, { outage: () => true, warning: () => true });
  }

  /** All masters: of a cluster each of them, else one. */
  async masters(): Promise<Master[]> {
    await this.link.ready();
    const { client } = this.link;
    return (isCluster(client) ? client.nodes('master') : [client]).map((node) => this.#toMaster(node));
  }

  /**
   * Finds the queues with SCAN on every master, in the order of their names. A queue has at least one of its main keys.
   * @param options.prefix only names that begin with it
   * @param options.onProgress is called after each SCAN with the number of queues so far
   */
  async queueNames(
    options: { prefix?: string; signal?: AbortSignal; onProgress?: (found: number) => void } = {},
  ): Promise<string[]> {
    const { prefix = '', signal, onProgress } = options;
    const names = new Set<string>();
    const pattern = `{chasqui:${prefix.replace(/[\\*?[\]]/g, '\\$&')}*}:*`;
    for (const master of await this.masters()) {
      let cursor = '0';
      do {
        signal?.throwIfAborted();
        const reply = await master.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
        const [next, keys] = reply as [string, string[]];
        cursor = next;
        for (const key of keys) {
          const name = QUEUE_KEY.exec(key)?.[1];
          if (name !== undefined) names.add(name);
        }
        onProgress?.(names.size);
      } while (cursor !== '0');
    }
    return [...names].sort((a, b) => (a < b ? -1 : 1));
  }

  /** Whether the queue has at least one of its main keys. */
  async hasQueue(name: string): Promise<boolean> {
    await this.link.ready();
    const { prefix } = queueKeys(name);
    return (
      Number(
        await this.link.call(
          'EXISTS',
          MAIN_KEYS.map((key) => prefix + key),
        ),
      ) > 0
    );
  }

  /** @throws QueueNotFoundError (CMQ-110) that names the nearest queues */
  async requireQueue(name: string, signal?: AbortSignal): Promise<void> {
    if (await this.hasQueue(name)) return;
    const names = await this.queueNames({ ...(signal && { signal }) });
    throw new QueueNotFoundError(name, nearestKeys(name, names, 3), names.length, this.link.address);
  }

  /** Releases the connection. Idempotent. */
  close(): void {
    this.link.release();
  }

  #toMaster(node: Client): Master {
    const address = addressOf(node);
    const ms = this.link.commandTimeoutMs;
    return {
      address,
      call: (command, ...args) =>
        withDeadline(
          send(node, command, args),
          ms,
          () => new ConnectionError(`Redis at ${address} did not answer ${command} within ${String(ms)} ms.`),
          (error) => toConnectionError(error, node, this.link.isReleased),
        ),
    };
  }
}
