import type { Client } from '../../redis/client.js';

/** What a server says before it closes the connection tells more than that it is closed. */
const TELLING_MS = 1_000;

const errors = new WeakMap<Client, { readonly error: Error; readonly at: number }>();

/** Has what goes wrong on a client kept; returns how to stop. Without a listener ioredis writes to the console. */
export function keepLastError(client: Client): () => void {
  const keep = (error: Error): void => {
    const last = errors.get(client);
    const at = performance.now();
    const isClosing = /^(write|read|Connection is closed)/.test(error.message);
    if (isClosing && last?.error.name === 'ReplyError' && at - last.at < TELLING_MS) return;
    errors.set(client, { error, at });
  };
  client.on('error', keep).on('node error', keep);
  return () => {
    client.off('error', keep).off('node error', keep);
  };
}

/** What went wrong last. */
export function lastErrorOf(client: Client): Error | undefined {
  return errors.get(client)?.error;
}
