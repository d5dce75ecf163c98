import { NestFactory } from '@nestjs/core';
import { expect, it, vi } from 'vitest';
import { useRedis } from '../support/redis.js';

const redis = useRedis();

it('sample/01-welcome runs the tutorial twice on one Redis', async () => {
  vi.stubEnv('REDIS_URL', redis.url);
  vi.stubEnv('NO_COLOR', '1');
  const { AppModule } = await import('../../sample/01-welcome/src/app.module.js');
  const { Story } = await import('../../sample/01-welcome/src/story.service.js');
  for (const _ of [1, 2]) {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => {
      lines.push(...line.split('\n'));
    });
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
    await app.get(Story).tell();
    await app.close();
    check(lines);
  }
});

function check(lines: readonly string[]): void {
  const calls = lines.filter((line) => line.startsWith('call #'));
  const ids = calls.map((line) => /for job ([0-9A-HJKMNP-TV-Z]{26}) /.exec(line)?.[1] ?? '');
  const [ada, , , poison] = ids as [string, string, string, string];
  expect(calls).toEqual([
    `call #1 for job ${ada} (attempt 1)`,
    `call #2 for job ${ada} (attempt 2)`,
    `call #3 for job ${ada} (attempt 3)`,
    `call #4 for job ${poison} (attempt 1)`,
  ]);
  expect(poison).not.toBe(ada);
  const after = lines.slice(lines.indexOf(calls[3] as string));
  expect(after.join('\n')).toMatch(
    /unrecoverable \(blocked address\).*poison@example\.com[^]*replayed[^]*succeeded[^]*dead letters.*none/,
  );
  expect(after.join('\n')).toContain(poison);
}
