import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { Queue, QueueEvents, Worker } from '../../lib/engine/index.js';
import type { Connection } from '../../lib/engine/index.js';
import { RedisServer } from '../../lib/testing/index.js';
import { useFakeRedis } from '../support/fake-redis.js';
import { rejection, useKit } from './contract/kit.js';

const redis = useKit();
const fakeServer = useFakeRedis();
const SECRET = 's3cret-pass';

/** What an add on a connection is rejected with, and that nothing shows the password. */
async function refused(connection: Connection, connectTimeoutMs = 300): Promise<Error & { code?: string }> {
  const queue = new Queue('mail', { connection, connectTimeoutMs });
  const events: unknown[] = [];
  queue.on('error', (error) => events.push(error));
  try {
    const error = await rejection(queue.add('a', 1));
    const shown = inspect([error, events, queue, queue.connectionInfo], { depth: 12, showHidden: false });
    expect(shown).not.toContain(SECRET);
    expect(
      `${String(error)} ${error.stack ?? ''} ${JSON.stringify([error, queue.connectionInfo])}`,
    ).not.toContain(SECRET);
    return error;
  } finally {
    await queue.close();
  }
}

describe('errors of a server name the cause and the fix', () => {
  it.each<[string, (command: string) => string | null | undefined, RegExp]>([
    [
      'protected mode',
      () => '-DENIED Redis is running in protected mode because it is on.\r\n',
      /DENIED.*requirepass/,
    ],
    ['maxclients', () => '-ERR max number of clients reached\r\n', /max number of clients.*maxclients/],
    [
      'no permission',
      () => "-NOPERM User alice has no permissions to run the 'hello' command\r\n",
      /NOPERM.*ACL user/,
    ],
    [
      'a wrong password',
      () => '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
      /WRONGPASS.*password/,
    ],
    [
      'loading',
      (command) => (command === 'info' ? '$23\r\nloading:1\r\nx:1234567890\r\n' : '+OK\r\n'),
      /LOADING.*loading its data/,
    ],
    [
      'a renamed INFO',
      (command) => (command === 'info' ? "-ERR unknown command 'INFO'\r\n" : '+OK\r\n'),
      /enableReadyCheck: false/,
    ],
    ['another protocol', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', /no Redis|check host and port/],
    ['silence', () => undefined, /does not answer/],
  ])('%s', async (_, answer, says) => {
    const port = await fakeServer(answer);
    const error = await refused({ host: '127.0.0.1', port, username: 'alice', password: SECRET });
    expect(error).toMatchObject({ code: 'CMQ-001' });
    expect(error.message).toMatch(says);
    expect(error.message).not.toContain('alice');
    expect(error.message).toContain(`127.0.0.1:${String(port)}`);
  });

  it('a server that repeats the arguments of AUTH', async () => {
    const port = await fakeServer((command) =>
      command === 'hello'
        ? "-ERR unknown command 'HELLO'\r\n"
        : `-ERR unknown command 'AUTH', with args beginning with: '${SECRET}' \r\n`,
    );
    const error = await refused({ host: '127.0.0.1', port, password: SECRET });
    expect(error.message).toMatch(/unknown command 'AUTH'/);
  });

  it('a server without HELLO and INFO', async () => {
    const port = await fakeServer((command) =>
      command === 'hello' || command === 'info' ? `-ERR unknown command '${command}'\r\n` : '+OK\r\n',
    );
    const error = await refused({ host: '127.0.0.1', port, enableReadyCheck: false });
    expect(error).toMatchObject({ code: 'CMQ-004' });
    expect(error.message).toMatch(/neither HELLO nor INFO.*Redis 6\.2/);
  });

  it.each([
    ['6.0.20', true],
    ['5.0.14', true],
    ['7.2.0', false],
  ])('no HELLO, and INFO says %s', async (version, tooOld) => {
    const info = `redis_version:${version}\r\n`;
    const port = await fakeServer((command) => {
      if (command === 'hello') return "-ERR unknown command 'HELLO'\r\n";
      return command === 'info' ? `$${String(info.length)}\r\n${info}\r\n` : '+OK\r\n';
    });
    await using queue = new Queue('mail', { connection: { host: '127.0.0.1', port } });
    if (tooOld) expect((await rejection(queue.waitUntilReady())).message).toContain(`redis ${version}`);
    else await queue.waitUntilReady();
  });

  it('HELLO renamed on a server that is new enough: jobs run', async () => {
    await using server = await RedisServer.start({ args: ['--rename-command', 'HELLO', ''] });
    await using queue = new Queue('mail', { connection: server.url });
    expect((await queue.add('a', 1)).duplicate).toBe(false);
  });

  it.each<[string, Connection, RegExp]>([
    ['a name that cannot be resolved', { host: 'nowhere.invalid' }, /ENOTFOUND|EAI_AGAIN/],
    ['a port where nothing listens', { host: '127.0.0.1', port: 1 }, /ECONNREFUSED.*Nothing listens/],
    ['a socket that is not there', { path: '/tmp/nowhere.sock' }, /ENOENT.*no such Unix socket/],
  ])('%s', async (_, connection, says) => {
    const error = await refused(connection);
    expect(error).toMatchObject({ code: 'CMQ-001' });
    expect(error.message).toMatch(says);
  });

  it('TLS to a port without it', async () => {
    const error = await refused({ ...redis.connection, tls: {}, password: SECRET });
    expect(error.message).toMatch(/Use redis:\/\/ instead of rediss:\/\//);
  });
});

describe('a database that does not exist', () => {
  const connections: [string, () => Connection][] = [
    ['by its number', () => ({ ...redis.connection, db: 99 })],
    ['by a URL', () => `${redis.url}/99`],
    ['in RESP2', () => ({ ...redis.connection, db: 99, protocol: 2 })],
    ['without a ready check', () => ({ ...redis.connection, db: 99, enableReadyCheck: false })],
  ];

  it.each(connections)('%s: nothing is written to any database', async (_, connection) => {
    const error = await refused(connection());
    expect(error).toMatchObject({ code: 'CMQ-004' });
    expect(error.message).toMatch(/DB index is out of range.*another "db"/);
    const worker = new Worker('mail', () => undefined, { connection: connection(), autorun: false });
    worker.on('error', () => undefined);
    expect(await rejection(worker.run())).toMatchObject({ code: 'CMQ-004' });
    await worker.close();
    expect(await redis.client.keys('*')).toEqual([]);
  });

  it('on a client of the user’s own, connected or not', async () => {
    for (const lazyConnect of [true, false]) {
      const client = new Redis({ ...redis.connection, db: 99, lazyConnect });
      client.on('error', () => undefined);
      if (!lazyConnect) await client.ping();
      const error = await refused(client);
      expect(error).toMatchObject({ code: 'CMQ-004' });
      expect(error.message).toMatch(/"db"/);
      client.disconnect();
    }
    expect(await redis.client.keys('*')).toEqual([]);
  });

  it('a user that may not SELECT', async () => {
    await redis.client.acl('SETUSER', 'noselect', 'on', `>${SECRET}`, '~*', '&*', '+@all', '-select');
    try {
      const connection = { ...redis.connection, db: 2, username: 'noselect', password: SECRET };
      const error = await refused(connection);
      expect(error.message).toMatch(/NOPERM/);
      expect(error.message).not.toContain('noselect');
      expect(await redis.client.keys('*')).toEqual([]);
    } finally {
      await redis.client.acl('DELUSER', 'noselect');
    }
  });
});

describe('secrets', () => {
  it('do not appear when queues, workers and subscriptions are printed', async () => {
    const connection = `redis://user:${SECRET}@127.0.0.1:1`;
    const options = { connection, connectTimeoutMs: 50 };
    const all = [
      new Queue('mail', options),
      new Worker('mail', () => undefined, { ...options, autorun: false }),
      new QueueEvents('mail', { ...options, autorun: false }),
    ];
    for (const one of all) {
      one.on('error', () => undefined);
      expect(inspect(one, { depth: 12, showHidden: true, getters: false })).not.toContain(SECRET);
      expect(JSON.stringify(one)).not.toContain(SECRET);
    }
    await Promise.all(all.map((one) => one.close()));
  });

  it.each<[string, unknown]>([
    ['a misspelt name', { conection: `redis://:${SECRET}@h` }],
    ['another one', { pasword: SECRET, connection: 'redis://h' }],
    ['a misspelt one within the connection', { connection: { host: 'h', pasword: SECRET } }],
    ['a URL in place of the options', `redis://:${SECRET}@h`],
    ['options of the wrong kind', { connection: 'redis://h', defaultJobOptions: `redis://:${SECRET}@h` }],
    ['a URL in an option that is another', { connection: 'redis://h', maxStreamLen: `redis://:${SECRET}@h` }],
    ['a URL of another kind', { connection: `valkeyx://:${SECRET}@h` }],
  ])('are in no error about options: %s', (_, options) => {
    for (const make of [
      () => new Queue('mail', options as never),
      () => new Worker('mail', () => undefined, options as never),
      () => new QueueEvents('mail', options as never),
    ]) {
      let thrown: unknown;
      try {
        make();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'CMQ-004' });
      expect(inspect(thrown, { depth: 12 })).not.toContain(SECRET);
    }
  });
});
