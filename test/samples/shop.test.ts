import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';

const redis = useRedis({ leakCheck: false });
const root = fileURLToPath(new URL('../../', import.meta.url));

const basic = (password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`shop:${password}`).toString('base64')}`,
});

it('09-shop: the board asks for the password, the API refuses bad orders, and Ctrl-C stops all processes', async () => {
  const main = join(root, 'dist-sample', '09-shop', 'src', 'main.js');
  const env = { ...process.env, REDIS_URL: redis.url, NO_COLOR: '1', SHOP_SECONDS: '120' };
  const shop = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(shop, 'exit');
  let text = '';
  shop.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const match = async (pattern: RegExp): Promise<readonly string[]> => {
    await expect.poll(() => text, { timeout: 30_000 }).toMatch(pattern);
    return pattern.exec(text) ?? [];
  };
  try {
    const [, board = '', password = ''] = await match(/(http\S+\/board) .*password (\w+)/);
    const [, orders = ''] = await match(/(http\S+)\/progress/);

    const refused = await fetch(board);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="shop"']);
    expect((await fetch(board, { headers: basic('wrong') })).status).toBe(401);
    expect((await fetch(board, { headers: basic('') })).status).toBe(401);
    const page = await fetch(board, { headers: basic(password) });
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      expect.stringContaining('text/html'),
    ]);

    const headers = { 'content-type': 'application/json' };
    const bad = JSON.stringify({ customer: 'ada', item: 'gold', count: 0 });
    expect((await fetch(orders, { method: 'POST', headers, body: bad })).status).toBe(400);
    expect((await fetch(`${orders}/unknown`)).status).toBe(404);
    await match(/5 s \| \d+ orders done/);
  } finally {
    shop.kill('SIGINT');
  }
  expect(await exited).toEqual([0, null]);
  expect(text).toContain('The shop closes early.');
  expect(text).toMatch(/The API, the board and the worker have ended\.\n$/);
  // Nobody is connected to Redis any more, but the test.
  const clients = (await redis.client.client('LIST')) as string;
  expect(clients.trim().split('\n')).toHaveLength(1);
}, 90_000);
