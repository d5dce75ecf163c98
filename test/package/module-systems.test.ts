import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const root = fileURLToPath(new URL('../../', import.meta.url));
const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  exports: Record<string, unknown>;
};
const entries = Object.keys(exports)
  .filter((entry) => entry !== './package.json')
  .map((entry) => entry.replace('.', 'nestjs-chasqui'));

/** Runs a program in the folder of the package, which can import itself by name. */
function run(type: 'module' | 'commonjs', code: string): unknown {
  const args = [`--input-type=${type}`, '-e', code];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }));
}

const differences = `
  const differences = [];
  function compare(entry, imported, required) {
    const names = new Set([...Object.keys(imported), ...Object.keys(required)]);
    for (const name of names) if (imported[name] !== required[name]) differences.push(entry + ' ' + name);
    if (names.size === 0) differences.push(entry + ' is empty');
  }`;

describe('require', () => {
  // As in Jest, and in what loads modules by itself otherwise: it cannot require ES modules.
  it.each(['engine', 'testing'])('loads nestjs-chasqui/%s where no ES module can be required', (entry) => {
    const args = [
      '--no-experimental-require-module',
      '-p',
      `Object.keys(require('nestjs-chasqui/${entry}')).length > 5`,
    ];
    expect(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).trim()).toBe('true');
  });
});

describe('import and require in one process', () => {
  it('give the same classes and tokens, whichever comes first', () => {
    const importFirst = `
      import { createRequire } from 'node:module';
      const require = createRequire(process.cwd() + '/x.js');
      ${differences}
      for (const entry of ${JSON.stringify(entries)}) compare(entry, await import(entry), require(entry));
      console.log(JSON.stringify(differences));`;
    const requireFirst = `
      ${differences}
      (async () => {
        for (const entry of ${JSON.stringify(entries)}) {
          const required = require(entry);
          compare(entry, await import(entry), required);
        }
        console.log(JSON.stringify(differences));
      })();`;
    expect(run('module', importFirst)).toEqual([]);
    expect(run('commonjs', requireFirst)).toEqual([]);
  });

  it('wire one application: what one decorates, the other finds and runs', () => {
    const outcome = run(
      'commonjs',
      `
      const { Processor, OnJob, getQueueToken, UnrecoverableError } = require('nestjs-chasqui');
      class Mails {
        send(job) {
          if (job.data.to === '') throw new UnrecoverableError('no address');
          return 'sent';
        }
      }
      OnJob('send')(Mails.prototype, 'send', Object.getOwnPropertyDescriptor(Mails.prototype, 'send'));
      Processor('mail')(Mails);
      (async () => {
        const { Test } = await import('@nestjs/testing');
        const { ChasquiModule, JobFailedError } = await import('nestjs-chasqui');
        const connection = { host: '127.0.0.1', port: ${redis.port} };
        const imports = [
          ChasquiModule.forRoot({ connection, workerOptions: { storeResults: true } }),
          ChasquiModule.forFeature('mail'),
        ];
        const app = await Test.createTestingModule({ imports, providers: [Mails] }).compile();
        await app.init();
        const queue = app.get(getQueueToken('mail'), { strict: false });
        const good = await queue.add('send', { to: 'ada' });
        const bad = await queue.add('send', { to: '' });
        const result = await good.waitForResult({ timeoutMs: 10_000 });
        const failure = await bad.waitForResult({ timeoutMs: 10_000 }).catch((error) => error);
        const [letter] = await queue.peekDlq();
        await app.close();
        console.log(JSON.stringify([result, failure instanceof JobFailedError, letter.reason]));
      })();`,
    );
    expect(outcome).toEqual(['sent', true, 'unrecoverable']);
  });
});
