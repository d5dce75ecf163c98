/* A process with two workers: one that stays for as long as the process, and one that is replaced again and again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { UnrecoverableError, Worker } from 'nestjs-chasqui/engine';
import { slowMsOf } from './kinds.mjs';
import { leave, on, problem, showMemory, tell } from './member.mjs';
import { connectionTo, EVENTS_KEPT, LEASE_MS, LETTERS_KEPT, QUEUE, RESULT_TTL_SECS } from './settings.mjs';

const FLUSH_MS = 500;
const LISTED = ['ran', 'completed', 'died'];

let books = blank();
const flush = () => {
  tell('worked', books);
  books = blank();
};
const flushing = setInterval(flush, FLUSH_MS);

let connection;
let lasting;
let passing;

on('start', ({ port }) => {
  connection = connectionTo(port);
  lasting = open();
  passing = open();
  tell('started');
});
on('restart', async () => {
  const old = passing;
  passing = undefined;
  await old?.close();
  passing = open();
  tell('restarted');
});
on('close', async () => {
  await Promise.all([lasting.close(), passing?.close()]);
  clearInterval(flushing);
  flush();
  leave();
});
showMemory(flush);

function open() {
  const worker = new Worker(QUEUE, work, {
    connection,
    concurrency: 50,
    claimMinIdleMs: LEASE_MS,
    eventsMaxStreamLen: EVENTS_KEPT,
    dlqMaxStreamLen: LETTERS_KEPT,
    storeResults: true,
    resultTtlSecs: RESULT_TTL_SECS,
    backoffStrategies: { soon: (attempt) => 10 * attempt },
  });
  worker.on('completed', ({ data }) => {
    if (data.kind === 'repeated') books.repeated += 1;
    else books.completed.push(data.n);
  });
  worker.on('failed', ({ data }) => data.kind === 'dying' && books.died.push(data.n));
  worker.on('error', (error) => problem(`worker: ${error.stack}`));
  return worker;
}

async function work(job) {
  const { n, kind } = job.data;
  if (kind === 'repeated') return;
  books.ran.push(n);
  switch (kind) {
    case 'retried':
      if (job.attemptsMade === 1) throw new Error('the first attempt fails');
      return;
    case 'dying':
      if (n % 2 === 0) throw new UnrecoverableError('it never works');
      throw new Error('its only attempt fails');
    case 'awaited':
      await job.updateProgress(50);
      return { n };
    case 'slow':
      await sleep(slowMsOf(n), undefined, { signal: job.signal });
  }
}

function blank() {
  return { ...Object.fromEntries(LISTED.map((name) => [name, []])), repeated: 0 };
}
