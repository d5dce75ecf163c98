import { Injectable, Logger, type LoggerService } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, expect, it } from 'vitest';
import {
  ChasquiModule,
  OnJob,
  OnWorkerEvent,
  Processor,
  UnrecoverableError,
  type DeadLettered,
  type Job,
} from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { queueOf, workerOf } from './support/apps.js';

const redis = useRedis();
let close = (): Promise<void> => Promise.resolve();

afterEach(() => close());

const FORGED = '\r\n[Nest] 1  - ERROR [Auth] forged \u001b[31mred\u001b[0m\u2028\u202e';

const letters: DeadLettered[] = [];

@Processor('mail')
@Injectable()
class MailProcessor {
  @OnJob()
  run(job: Job) {
    if (job.name.startsWith('gone'))
      throw new UnrecoverableError(`no mailbox${FORGED}`, { cause: new Error('why') });
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- what it is about
    if (job.name.startsWith('null')) throw null;
    throw new Error(`away${FORGED}`);
  }

  @OnWorkerEvent('failed')
  listen() {
    throw new Error(`listener${FORGED}`);
  }

  @OnWorkerEvent('deadLettered')
  keep(letter: DeadLettered) {
    letters.push(letter);
  }

  // @ts-expect-error -- the event has no job as its argument
  @OnWorkerEvent('deadLettered')
  ofAnotherType(_job: Job) {}
}

interface Line {
  readonly level: string;
  readonly message: string;
  readonly stack: string | undefined;
}

async function start(): Promise<{ lines: Line[]; app: Awaited<ReturnType<typeof compile>> }> {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (message: unknown, ...rest: unknown[]): void => {
      const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
      lines.push({ level, message: String(message), stack });
    };
  const logger: LoggerService = {
    log: at('log'),
    warn: at('warn'),
    error: at('error'),
    debug: at('debug'),
    verbose: at('verbose'),
  };
  const app = await compile(logger);
  close = () => app.close();
  return { lines, app };
}

async function compile(logger: LoggerService) {
  const retry = { initialBackoffMs: 1, jitterMs: 0 };
  const builder = Test.createTestingModule({
    imports: [
      ChasquiModule.forRoot({ connection: redis.connection, workerOptions: { retry } }),
      ChasquiModule.forFeature({ name: 'mail', workerOptions: { maxPayloadBytes: 2_000 } }),
    ],
    providers: [MailProcessor],
  }).setLogger(logger);
  const compiled = await builder.compile();
  Logger.overrideLogger(logger);
  return compiled.init();
}

async function ended(app: Awaited<ReturnType<typeof compile>>, name: string, jobId: string): Promise<void> {
  const dead = new Promise<void>((resolve) => {
    workerOf(app, 'mail').on('failed', (job) => {
      if (job.deadLetterReason !== undefined) resolve();
    });
  });
  await queueOf(app, 'mail').add(name, {}, { jobId, attempts: 2 });
  await dead;
}

it('a retry is a warning; a dead letter is an error with id, name, queue, attempts and stack', async () => {
  const { lines, app } = await start();
  await ended(app, 'send', 'job-1');
  const ours = lines.filter(({ message }) => message.startsWith('Job job-1'));
  expect(ours.map(({ level }) => level)).toEqual(['warn', 'error']);
  expect(ours[0]!.message).toMatch(/^Job job-1 "send" of queue "mail" failed at attempt 1: away/);
  expect(ours[1]!.message).toMatch(
    /^Job job-1 "send" of queue "mail" is a dead letter \(retries_exhausted\): it failed for good at attempt 2: away/,
  );
  expect(ours[1]!.stack).toMatch(/^Error: away.*\n {4}at .*MailProcessor/);
});

it('an unrecoverable failure is a dead letter at once, and a thrown value has its text', async () => {
  const { lines, app } = await start();
  await ended(app, 'gone', 'job-2');
  await ended(app, 'null', 'job-3');
  const errors = lines.filter(({ level, message }) => level === 'error' && message.startsWith('Job '));
  expect(errors.map(({ message }) => message.split(/\\r|$/)[0])).toEqual([
    'Job job-2 "gone" of queue "mail" is a dead letter (unrecoverable): it failed for good at attempt 1: no mailbox',
    'Job job-3 "null" of queue "mail" is a dead letter (retries_exhausted): it failed for good at attempt 2: null',
  ]);
  expect(errors[0]!.message).toContain('; caused by: why');
});

it('no text of a job can start a line, move the cursor, or turn the text', async () => {
  const { lines, app } = await start();
  await ended(app, `send${FORGED}`, `job${FORGED}`);
  await ended(app, `gone${FORGED}`, `other${FORGED}`);
  expect(lines.filter(({ message }) => message.includes('forged')).length).toBeGreaterThan(4);
  for (const { message, stack } of lines) {
    expect(message.replaceAll(/\n {4}at |\nCaused by: /g, '')).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
    for (const line of stack?.split('\n').slice(1) ?? []) expect(line).toMatch(/^( {4}at |Caused by: )/);
    expect(stack?.replaceAll('\n', '') ?? '').not.toMatch(/[\p{Cc}\u2028\u202e]/u);
  }
});

it('a dead letter that no handler has seen is an error with entry, queue, reason, detail and what to do', async () => {
  const { lines, app } = await start();
  letters.length = 0;
  const stream = '{chasqui:mail}:stream';
  const empty = await redis.client.xadd(stream, '*', 'x', '1');
  const garbage = await redis.client.xadd(stream, '*', 'd', 'garbage', 'n', `send${FORGED}`);
  const large = await queueOf(app, 'mail').add('send', 'x'.repeat(5_000));
  await expect.poll(() => letters.length).toBe(3);
  const errors = lines.filter(({ message }) => message.includes('is a dead letter'));
  expect(errors.map(({ level }) => level)).toEqual(['error', 'error', 'error']);
  const messages = errors.map(({ message }) => message);
  expect(messages[0]).toMatch(
    `Entry ${String(empty)} of queue "mail" is a dead letter (malformed): missing payload`,
  );
  expect(messages[0]).toMatch(/\. Another program writes to the work stream: find and fix it\.$/);
  expect(messages[1]).toContain(`Entry ${String(garbage)} "send\\r\\n`);
  expect(messages[1]).toMatch(
    / of queue "mail" is a dead letter \(decode_failed\): .*\. Another program has written/,
  );
  expect(messages[2]).toMatch(
    new RegExp(
      `^Job ${large.id} "send" \\(entry \\d+-0\\) of queue "mail" is a dead letter \\(oversize_payload\\): `,
    ),
  );
  expect(messages[2]).toMatch(
    /maxPayloadBytes is 2000.* Send a reference instead of the data\. Or raise maxPayloadBytes/,
  );
  for (const message of messages) expect(message).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
});

it('a pause of the queue or of its worker is one line, and so is its end', async () => {
  const { lines, app } = await start();
  const [queue, worker] = [queueOf(app, 'mail'), workerOf(app, 'mail')];
  const ours = (): string[] =>
    lines
      .filter(({ message }) => /paused|resumed/.test(message))
      .map((line) => `${line.level} ${line.message}`);
  await queue.pause();
  await queue.pause();
  await expect.poll(ours).toHaveLength(1);
  await worker.pause();
  await worker.pause();
  await worker.resume();
  await queue.resume();
  await expect
    .poll(ours)
    .toEqual([
      'warn Queue "mail" is paused: this process starts no jobs of it until it is resumed.',
      'warn The worker of queue "mail" is paused: this process starts no jobs of it until it is resumed.',
      'log The worker of queue "mail" is resumed.',
      'log Queue "mail" is resumed.',
    ]);
});

it('a process that starts while the queue is paused says so', async () => {
  const { app } = await start();
  await queueOf(app, 'mail').pause();
  await app.close();
  const { lines, app: next } = await start();
  await expect
    .poll(() => lines.map(({ message }) => message))
    .toContainEqual('Queue "mail" is paused: this process starts no jobs of it until it is resumed.');
  await queueOf(next, 'mail').resume();
});
