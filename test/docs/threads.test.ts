import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { clean, compileFiles } from '../threads/support/compile.js';
import { useRedis } from '../support/redis.js';
import { blocksOf } from './support/blocks.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/threads.md', redis);
const shown = [block('In Nest'), block('Without Nest', 1), block('Without Nest', 2)] as const;
const [nest, processor, worker, ...others] = blocksOf('docs/threads.md').map(({ code }) => code);
const folders: string[] = [];

afterAll(() => {
  folders.forEach(clean);
});

function run(files: Record<string, string>, main: string): unknown {
  const sources = Object.entries(files).map(([name, code]) => [
    name,
    code.replaceAll('port: 6379', `port: ${String(redis.port)}`),
  ]);
  const folder = compileFiles('docs', 'esm', Object.fromEntries(sources) as Record<string, string>);
  folders.push(folder);
  writeFileSync(join(folder, 'main.js'), main);
  const output = execFileSync(process.execPath, [join(folder, 'main.js')], { encoding: 'utf8' });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

it('a module in threads', () => {
  const main = `
    import 'reflect-metadata';
    import { Module } from '@nestjs/common';
    import { NestFactory } from '@nestjs/core';
    import { ChasquiModule, getQueueToken } from 'nestjs-chasqui';
    import { ImagesModule } from './images.module.js';
    class AppModule {}
    Module({ imports: [
      ChasquiModule.forRoot({
        connection: { host: '127.0.0.1', port: ${String(redis.port)} },
        workerOptions: { storeResults: true },
      }),
      ImagesModule,
    ] })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    const job = await app.get(getQueueToken('images'), { strict: false }).add('resize', { width: 4 });
    const result = await job.waitForResult({ timeoutMs: 10_000 });
    await app.close();
    console.log(JSON.stringify(result));`;
  expect(run({ 'images.module.ts': nest ?? '' }, main)).toBe(2_000);
});

it('a processor file', () => {
  const main = `
    import { Queue } from 'nestjs-chasqui/engine';
    import { worker } from './worker.js';
    const progress = [];
    worker.on('progress', (_job, value) => progress.push(value));
    const done = new Promise((resolve) => worker.on('completed', (_job, value) => resolve(value)));
    worker.run();
    const queue = new Queue('hashes', { connection: { host: '127.0.0.1', port: ${String(redis.port)} } });
    await queue.add('hash', { text: 'abc' });
    const value = await done;
    await worker.close();
    await queue.close();
    console.log(JSON.stringify({ value, progress }));`;
  expect(run({ 'hash.ts': processor ?? '', 'worker.ts': worker ?? '' }, main)).toEqual({
    value: 'cba',
    progress: [50],
  });
});

it('the blocks stand for themselves; a worker without the file that it names is refused', async () => {
  expect(await shown[0]()).toHaveProperty('ImagesModule');
  expect(await shown[1]()).toHaveProperty('default');
  await expect(shown[2]()).rejects.toThrow('there is no file');
  expect(others).toEqual([]);
});
