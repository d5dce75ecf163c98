import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach } from 'vitest';

/** What a fake server answers to a command: text in the protocol of Redis, undefined for nothing, null to hang up. */
export type Answer = (command: string) => string | null | undefined;

/** Returns a function that starts a server on a port of 127.0.0.1. The servers of a test stop when it ends. */
export function useFakeRedis(): (answer: Answer) => Promise<number> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  return async (answer) => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (data) => {
        // One array of bulk strings per command; the first string is its name.
        for (const [, name] of String(data).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
          const reply = answer(name!.toLowerCase());
          if (reply === null) socket.destroy();
          else if (reply !== undefined) socket.write(reply);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };
}

/** A reply to HELLO. */
export function helloReply(server: string, version: string): string {
  const strings = ['server', server, 'version', version].map((text) => `$${text.length}\r\n${text}\r\n`);
  return `*${strings.length}\r\n${strings.join('')}`;
}

/** A port of 127.0.0.1 on which nothing listens. */
export async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
