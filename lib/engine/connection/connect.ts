import { addressOf, isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';
import { withDeadline } from '../../redis/deadline.js';
import { ConfigError, ConnectionError, ShutdownError } from '../base/errors.js';
import {
  describe,
  endedMessage,
  explained,
  hintFor,
  isRefusal,
  isSelectError,
  toConnectionError,
  withoutSecrets,
} from './explain.js';
import { lastErrorOf } from './last-error.js';
import { infoOf } from './server.js';

/** How long to look for the reason why a client does not become ready. */
const REASON_MS = 500;

/** Connects a client, if it is not connecting already. Resolves when it accepts commands. */
export async function connect(client: Client, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  if (client.status === 'ready') return;
  let stop = (): void => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void => {
      if (isRefusal(error)) reject(refusal(error, client));
    };
    const onEnd = (): void => {
      reject(toConnectionError(lastErrorOf(client) ?? new Error('Connection is closed.'), client, false));
    };
    const onReady = (): void => {
      resolve();
    };
    const onAbort = (): void => {
      reject(new ShutdownError('The connection was closed while it was connecting.'));
    };
    client.on('ready', onReady).on('error', onError).on('end', onEnd);
    signal?.addEventListener('abort', onAbort, { once: true });
    stop = () => {
      client.off('ready', onReady).off('error', onError).off('end', onEnd);
      signal?.removeEventListener('abort', onAbort);
    };
    if (client.status === 'wait' || client.status === 'end') {
      // After a failure the client tries again until the deadline.
      client.connect().catch((error: unknown) => {
        if (error instanceof Error) onError(error);
      });
    }
  });
  try {
    await withDeadline(ready, timeoutMs, () => new Late());
  } catch (error) {
    throw error instanceof Late ? await unreachable(client, timeoutMs) : error;
  } finally {
    stop();
  }
}

class Late extends Error {}

function refusal(error: Error, client: Client): Error {
  if (!isSelectError(error) || error.message.includes('NOPERM'))
    return toConnectionError(error, client, false);
  return new ConfigError(explained(describe(error, client), client), {
    cause: withoutSecrets(error, client),
  });
}

async function unreachable(client: Client, timeoutMs: number): Promise<ConnectionError> {
  const error = lastErrorOf(client);
  const why = error ? describe(error, client) : await reasonOf(client);
  const hint =
    (why === undefined ? undefined : hintFor(why)) ??
    'Check that Redis runs, that host and port are right, and that no firewall blocks the connection.';
  return new ConnectionError(
    `Redis at ${addressOf(client)} could not be reached within ${String(timeoutMs)} ms` +
      `${why === undefined ? '' : ` (${why})`} — ${hint}`,
    { cause: withoutSecrets(error, client) },
  );
}

/** The reason for a client that reported no error and is not ready. */
async function reasonOf(client: Client): Promise<string | undefined> {
  if (client.status === 'end') return endedMessage(client);
  if (isCluster(client)) return undefined;
  const { stream } = client as { stream?: { connecting?: boolean } };
  if (client.status === 'connecting' && client.options.tls && stream?.connecting === false) {
    return 'the TCP connection is open, and the server does not answer the TLS handshake';
  }
  if (client.status !== 'connect') return undefined;
  const info = await withDeadline(infoOf(client), REASON_MS, () => new Late()).catch(() => undefined);
  if (info?.get('loading') === '1') {
    return `LOADING: ${info.get('loading_loaded_perc') ?? '0'} % of its data is loaded`;
  }
  return 'the server accepts the connection and does not answer';
}
