import type { Client } from '../../redis/client.js';

/** How long the error reply of a server explains the close that follows it. */
const EXPLAINS_MS = 1_000;

const errors = new WeakMap<Client, { readonly error: Error; readonly at: number }>();

/**
 * Keeps the last error of a client until it is connected: an old error does not explain the next outage. Returns how to stop.
 * Without a listener ioredis would write to the console.
 */
export function keepLastError(client: Client): () => void {
  const keep = (error: Error): void => {
    const last = errors.get(client);
    const at = performance.now();
    const isClosing = /^(write|read|Connection is closed)/.test(error.message);
    if (isClosing && last?.error.name === 'ReplyError' && at - last.at < EXPLAINS_MS) return;
    errors.set(client, { error, at });
  };
  const forget = (): void => {
    errors.delete(client);
  };
  client.on('error', keep).on('node error', keep).on('ready', forget);
  return () => {
    client.off('error', keep).off('node error', keep).off('ready', forget);
  };
}

export function lastErrorOf(client: Client): Error | undefined {
  return errors.get(client)?.error;
}
