import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { RedisServer } from '../../../lib/testing/index.js';
import { Prometheus } from '../../support/prometheus.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'sample', '08-observe', 'prometheus');

/** The running sample app, scraped by a real Prometheus with the configuration of the sample. */
export interface ObservedSample {
  readonly redis: RedisServer;
  readonly prometheus: Prometheus;
  post(path: string, body: object): Promise<void>;
  /** Stops the application. Resolves with its exit code. */
  stopApp(): Promise<number | null>;
  stop(): Promise<void>;
}

/** @param rules changes the rules of the sample */
export async function startSample(rules = (text: string): string => text): Promise<ObservedSample> {
  // Not `useRedis`, which empties the server before each test.
  const redis = await RedisServer.start();
  const main = join(root, 'dist-sample', '08-observe', 'src', 'main.js');
  const env = { ...process.env, REDIS_URL: redis.url, PORT: '0' };
  const app = spawn(process.execPath, [main, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(app, 'exit');
  let url = '';
  for await (const line of createInterface(app.stdout)) {
    url = /^metrics: (.*)\/metrics$/.exec(line)?.[1] ?? '';
    if (url !== '') break;
  }
  const config = readFileSync(join(folder, 'prometheus.yml'), 'utf8')
    .replace('127.0.0.1:3008', new URL(url).host)
    .replaceAll(/_interval: 5s/g, '_interval: 1s');
  const alerts = rules(readFileSync(join(folder, 'alerts.yml'), 'utf8'));
  const prometheus = await Prometheus.start(config, { 'alerts.yml': alerts });
  const stopApp = async (): Promise<number | null> => {
    app.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    return code;
  };
  return {
    redis,
    prometheus,
    stopApp,
    post: async (path, body) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      if (response.status !== 202) throw new Error(`${path}: ${String(response.status)}`);
    },
    stop: async () => {
      await prometheus.stop();
      await stopApp();
      await redis.stop();
    },
  };
}
