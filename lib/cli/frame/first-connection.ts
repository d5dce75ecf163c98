import { reconnectDelay } from '../../engine/connection/reconnecting.js';
import type { CommandLink } from '../../engine/connection/command-link.js';
import type { ConnectionOptions } from '../../engine/index.js';

/** Errors that another attempt does not change: somebody has to do something first. */
const DEFINITE =
  /ECONNREFUSED|ENOTFOUND|ENOENT|EACCES|EPERM|ECONNRESET|EPIPE|EPROTO|EHOSTUNREACH|ENETUNREACH|SSL routines|cluster support disabled/;
/** What ioredis says of a node of a cluster that refuses, instead of the reason. */
const NODE_REFUSES = 'Connection is closed';

/**
 * Ends the first connection at the first definite refusal, so that a command reports it at once and not after `--timeout`.
 * A connection that was ready once reconnects without end, as everywhere: `watch` and `events` survive outages.
 */
export class FirstConnection {
  #link: CommandLink | undefined;
  #wasReady = false;

  /** The options with strategies that ask this object. */
  withStrategies(options: ConnectionOptions): ConnectionOptions {
    const isCluster = 'cluster' in options;
    const delay = (times: number): number | null =>
      this.#isHopeless(isCluster) ? null : reconnectDelay(times);
    if (isCluster) return { ...options, clusterOptions: { clusterRetryStrategy: delay } };
    // A master that refuses may be about to be replaced: the sentinels soon know the new one.
    if ('sentinels' in options) {
      return {
        ...options,
        sentinelRetryStrategy: (times) => (this.#wasReady ? reconnectDelay(times) : null),
      };
    }
    return { ...options, retryStrategy: delay };
  }

  /** Follows the connection that was made with these options. Call it before the link connects. */
  follow(link: CommandLink): void {
    this.#link = link;
    link.client.once('ready', () => {
      this.#wasReady = true;
    });
  }

  #isHopeless(isCluster: boolean): boolean {
    const lastError = this.#link?.info.lastError ?? '';
    return !this.#wasReady && (DEFINITE.test(lastError) || (isCluster && lastError.startsWith(NODE_REFUSES)));
  }
}
