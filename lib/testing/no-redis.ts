import { EventEmitter } from 'node:events';
import { NotSupportedError, type Connection } from '../engine/index.js';

/** A connection without a server: each call that needs Redis rejects at once and says so. */
export function noRedis(owner: string): Connection {
  const refuse = (): Promise<never> =>
    Promise.reject(new NotSupportedError(`${owner} has no Redis. Use TestRedis of nestjs-chasqui/testing.`));
  // The version check at first use passes, so that the error comes from the call itself.
  const hello = (): Promise<unknown> => Promise.resolve(['server', 'redis', 'version', '99.0.0']);
  const client = Object.assign(new EventEmitter(), {
    status: 'ready',
    options: { host: 'nowhere', port: 0 },
    sendCommand: ({ name }: { name: string }) => (name === 'HELLO' ? hello() : refuse()),
    duplicate: (): never => {
      throw new NotSupportedError(`${owner} has no Redis to subscribe to. Use TestRedis.`);
    },
  });
  return client as unknown as Connection;
}
