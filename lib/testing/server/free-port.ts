import { createServer } from 'node:net';

/*
 * Every system takes the source ports of outgoing connections from a range that starts at 32768 (Linux) or above. The port
 * of a server must be outside this range. Otherwise a client that reconnects in a loop while the server is down could get
 * the same port as its source port, and connect to itself. A cluster node also listens on its port plus 10000, which must
 * be below the range too.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 21_999;
const CLUSTER_BUS_OFFSET = 10_000;
const ATTEMPTS = 100;

/**
 * Finds a free loopback port whose port + 10000 (the cluster bus) is free too. Another process may take the port before it
 * is used, so the caller must be ready to try another one.
 *
 * @throws Error if no free port is found in 100 tries
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
