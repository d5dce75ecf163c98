import { Redis } from 'ioredis';

/** How to reach a server on this machine. */
export interface AdminAddress {
  readonly port: number;
  readonly password?: string | undefined;
}

/**
 * Runs `use` with a connection that never reconnects, and closes it. Rejects if the server cannot be reached, if `use`
 * rejects, or when `signal` is aborted.
 */
export async function withAdmin<T>(
  address: AdminAddress,
  use: (client: Redis) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port: address.port,
    ...(address.password === undefined ? {} : { password: address.password }),
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    commandTimeout: 5_000,
    // Another program that took the port may never answer our FIN.
    disconnectTimeout: 20,
    retryStrategy: () => null,
  });
  let cause: Error | undefined;
  client.on('error', (error: Error) => {
    cause = error;
  });
  const giveUp = (): void => {
    client.disconnect();
  };
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await client.connect();
    return await use(client);
  } catch (error) {
    // "Connection is closed." hides the reason. The error event had it.
    throw cause ?? error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
    // On a connection that has ended, `disconnect` would only leave a timer behind.
    if (client.status !== 'end') client.disconnect();
  }
}

/** The `field:value` lines of INFO and of CLUSTER INFO. */
export function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
