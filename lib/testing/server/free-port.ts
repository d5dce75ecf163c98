import { createServer } from 'node:net';

/*
 * Every system takes the source ports of outgoing connections from a range that starts at 32768 (Linux) or above.
 * A server's port must lie outside of it: while the server is down, a client that reconnects in a loop could
 * otherwise be given that very port as its own and connect to itself. A cluster node also listens on its port plus
 * 10000, so ports end where that second port would enter the range.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 21_999;
const CLUSTER_BUS_OFFSET = 10_000;
const ATTEMPTS = 100;

/**
 * A loopback port nobody listens on, with port + 10000 (the cluster bus) free as well.
 *
 * Another process may take the port before it is used: whoever binds it has to be ready to ask again.
 *
 * @throws Error when no free port is found in 100 tries
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if ((await canListen(port)) && (await canListen(port + CLUSTER_BUS_OFFSET))) return port;
  }
  throw new Error(`No free loopback port between ${FIRST_PORT} and ${LAST_PORT} in ${ATTEMPTS} tries`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => {
      resolve(false);
    });
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      probe.close(() => {
        resolve(true);
      });
    });
  });
}
