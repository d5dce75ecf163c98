import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useRedis } from '../support/redis.js';

const redis = useRedis();
const root = fileURLToPath(new URL('../../', import.meta.url));
const samples = readdirSync(join(root, 'sample'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** What each sample says, in this order. A new one is at least run. */
const SAYS: Record<string, readonly RegExp[]> = {
  '01-welcome': [/^call #3 for job .* \(attempt 3\)$/, /blocked address/, /dead letters of the queue: none/],
  '02-validation': [/^Four mails are added/, /send .*: \{"sent":"ada@example.com"\}/, /The dead letters:/],
  '03-schedules': [
    /^The application declared two schedules/,
    /^ {2}@Repeat:poll: every 250 ms/,
    /poll feed: job/,
  ],
  '04-roles': [
    /producer (\d+) runs/,
    /1 × bread: placed by process \d+/,
    /worker was stopped, and has ended/,
  ],
  '05-microservice': [
    /^POST \/orders: 202 {"accepted":"/,
    /service \| .* failed at attempt 1: the packer is having a break/,
    /service \| packed 2 × bread/,
    /^GET \/price\/bread: 200 2\.50 €$/,
    /^GET \/price\/gold: 404 .*there is no gold/,
    /^both were stopped, and have ended$/,
  ],
  '06-health': [
    /ready: 200 ok/,
    /redis: up/,
    /work: 503 error/,
    /backlog: down\. Queue "mail": deadLetters is 1, above/,
    /work: 200 ok/,
    /ready: 503 error/,
    /workers: down\. .*does not run \(stopped\)/,
    /ready: 200 ok/,
  ],
  '07-operate': [
    /^ {2}GET \/mail: 403 Forbidden/,
    /^ {2}POST \/mail\/pause: 403 Forbidden/,
    /^ {2}POST \/mail\/pause: 200/,
    /paused: true; .*paused: 7.*workers: 1/,
    /state=delayed.*: 200 newsletter/,
    /paused: false; .*failed: 3/,
    /limit=2: 200 unrecoverable .*, retries_exhausted .*, and more/,
    /after=…: 200 retries_exhausted \(the server is busy\)$/,
    /reason=unrecoverable: 200 unrecoverable \(nobody@example\.com is unknown\)$/,
    /replay: 200 {"replayed":2}/,
    /jobs\/newsletter: 200 state delayed/,
    /promote: 200/,
    /jobs\/newsletter: 200 state completed/,
    /jobs\/newsletter: 404/,
    /pause: 200 {"changed":true}/,
    /run: 200 added: true/,
    /@Repeat:digest \(paused\)$/,
    /male: 404 There is no queue/,
    /wating: 400 .*Did you mean/,
    /weekly\/pause: 404 .*has no schedule "weekly"/,
  ],
  '08-observe': [
    /^5 rounds of ten mails and four images/,
    /chasqui_jobs_ended_total{.*chasqui_job_name="send",chasqui_job_outcome="completed"} 45$/,
    /chasqui_jobs_ended_total{.*chasqui_job_name="send",chasqui_job_outcome="retried"} 10$/,
    /chasqui_jobs_ended_total{.*chasqui_job_name="send",chasqui_job_outcome="dead-lettered".*} 5$/,
    /chasqui_queue_jobs{messaging_destination_name="mail",chasqui_job_state="failed"} 5$/,
    /{"queue":"mail","jobsWanted":\d+,/,
  ],
  '09-shop': [
    /^The shop is open for 4 s/,
    /\/board {3}the board: user shop, password \w+$/,
    /^The shop has closed\. \d+ orders were placed\.$/,
    /^\d+ orders done, \d+ paid, \d+ declined, 0 wait for a retry$/,
    /^worker \| nightly report: \d+ jobs of orders done, \d+ paid, \d+ declined$/,
    /^ {2}api {4}\| POST \/orders /,
    /^ {2}api {4}\| {3}send orders /,
    /^ {2}worker \| {5}process orders .*failed: the warehouse is busy/,
    /^ {2}worker \| {5}process orders /,
    /^ {2}worker \| {9}process payments .*failed: the bank does not answer/,
    /^ {2}worker \| {9}process payments .* ms$/,
    /^The API, the board and the worker have ended\.$/,
  ],
  '10-tenants': [
    /^200 reports of 15 ms, four at a time\. acme wants 180 of them, all at once\.$/,
    /^Without groups, first come, first served:$/,
    /^ {2}acme {5}█+░+ +p50 +\d+ ms {2}p95 +\d+ ms$/,
    /^With groups, the tenants take turns:$/,
    /^ {2}dentist .*p95 +\d+ ms$/,
    /^With groups of concurrency 1, acme never has two handlers:$/,
    /^In short, p95 of the waiting time:$/,
    /^ {2}without groups {6}acme +\d+ ms {2}bakery +\d+ ms {2}cinema +\d+ ms {2}dentist +\d+ ms$/,
    /^ {2}with groups .*dentist/,
    /^ {2}with concurrency 1 .*dentist/,
  ],
};

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

const outputs = new Map<string, Promise<Output>>();

/**
 * Runs a sample as its own process, once. Rejects for another exit code than 0. A start takes seconds while the machine is busy.
 */
function run(name: string): Promise<Output> {
  const known = outputs.get(name);
  if (known) return known;
  const main = join(root, 'dist-sample', name, 'src', 'main.js');
  expect(existsSync(main), `${main}: node scripts/test.mjs compiles the samples`).toBe(true);
  // That sample prints no colors where there is no terminal. The logger of Nest has to be told.
  const colors = name === '10-tenants' ? {} : { NO_COLOR: '1' };
  const env = { ...process.env, REDIS_URL: redis.url, SHOP_SECONDS: '4', ...colors };
  const output = promisify(execFile)(process.execPath, [main], { env, timeout: 40_000 });
  outputs.set(name, output);
  return output;
}

describe('as its own process, each sample ends by itself with exit code 0', () => {
  it.each(samples)(
    '%s',
    async (name) => {
      const { stdout, stderr } = await run(name);
      expect(stderr).not.toContain('Warning');
      // A stack is that of a dead letter which the sample means to show.
      const stacks = stderr
        .split('\n')
        .filter((line, at, all) => /^\s+at /.test(line) && !/^\s+at /.test(all[at - 1] ?? ''));
      expect(stacks.length > 0).toBe(stderr.includes('is a dead letter'));
      const lines = stdout.split('\n');
      for (const pattern of SAYS[name] ?? []) {
        const at = lines.findIndex((line) => pattern.test(line));
        expect(at, `${String(pattern)} in:\n${lines.join('\n')}`).toBeGreaterThanOrEqual(0);
        lines.splice(0, at + 1);
      }
    },
    50_000,
  );
});

it('04-roles runs its jobs in the other process', async () => {
  const { stdout } = await run('04-roles');
  const worker = /^worker (\d+) runs$/m.exec(stdout)?.[1];
  expect(worker).toBeDefined();
  expect([...stdout.matchAll(/placed by process (\d+)/g)].map(([, pid]) => pid)).toEqual([
    worker,
    worker,
    worker,
  ]);
}, 50_000);

it('10-tenants: with groups, the small tenants wait less than half as long', async () => {
  const { stdout } = await run('10-tenants');
  // Not a terminal: no colors.
  expect(stdout).not.toContain('\u001b');
  const waited = (run: string): number[] => {
    const line = stdout.split('\n').find((each) => each.startsWith(`  ${run} `)) ?? '';
    return [...line.matchAll(/(\d+) ms/g)].map(([, ms]) => Number(ms));
  };
  const [acme, ...others] = waited('with groups');
  const [, ...without] = waited('without groups');
  expect(others).toHaveLength(3);
  others.forEach((ms, index) => {
    expect(ms).toBeLessThan((acme ?? 0) / 2);
    expect(ms).toBeLessThan((without[index] ?? 0) / 2);
  });
}, 50_000);
