import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Prometheus } from '../support/prometheus.js';
import { expressions } from './support/dashboard.js';
import { startSample, type ObservedSample } from './support/observed-sample.js';

const PATIENCE = { timeout: 15_000, interval: 250 };

/** What this test asks the application to do. The first attempt of a busy mail fails. */
const MAILS = { ada: 20, busy: 6, nobody: 4 };
const IMAGES = 8;

let sample: ObservedSample;
let prometheus: Prometheus;

beforeAll(async () => {
  sample = await startSample();
  prometheus = sample.prometheus;
  for (const [name, count] of Object.entries(MAILS)) {
    for (let i = 0; i < count; i += 1) await sample.post('mails', { to: `${name}@example.com` });
  }
  for (let i = 0; i < IMAGES; i += 1) await sample.post('images', { width: 200 });
}, 60_000);

afterAll(async () => {
  const code = await sample.stopApp();
  await sample.stop();
  expect(code).toBe(0);
});

const SEND = 'messaging_destination_name="mail", chasqui_job_name="send"';
const mails = MAILS.ada + MAILS.busy + MAILS.nobody;

describe('what Prometheus has equals what was done', () => {
  it.each([
    ['jobs added', `messaging_client_sent_messages_total{${SEND}}`, mails],
    ['runs', `sum(messaging_client_consumed_messages_total{${SEND}})`, mails + MAILS.busy],
    ['runs that were measured', `sum(messaging_process_duration_count{${SEND}})`, mails + MAILS.busy],
    [
      'failed runs',
      `sum(messaging_process_duration_count{${SEND}, error_type!=""})`,
      MAILS.busy + MAILS.nobody,
    ],
    [
      'completed jobs',
      `sum(chasqui_jobs_ended_total{${SEND}, chasqui_job_outcome="completed"})`,
      MAILS.ada + MAILS.busy,
    ],
    ['retried runs', `sum(chasqui_jobs_ended_total{${SEND}, chasqui_job_outcome="retried"})`, MAILS.busy],
    [
      'jobs that failed for good, by reason',
      `chasqui_jobs_ended_total{${SEND}, chasqui_job_outcome="dead-lettered", chasqui_dead_letter_reason="unrecoverable"}`,
      MAILS.nobody,
    ],
    [
      'dead letters',
      'chasqui_queue_jobs{messaging_destination_name="mail", chasqui_job_state="failed"}',
      MAILS.nobody,
    ],
    [
      'images',
      'chasqui_jobs_ended_total{chasqui_job_name="resize", chasqui_job_outcome="completed"}',
      IMAGES,
    ],
    ['workers', 'chasqui_queue_workers{messaging_destination_name="images"}', 1],
    ['handlers', 'chasqui_worker_concurrency{messaging_destination_name="images"}', 4],
    ['processes', 'up', 1],
  ])('%s', async (_, expression, value) => {
    await expect.poll(() => prometheus.value(expression), PATIENCE).toBe(value);
  });

  it('run times are seconds: no image took less than the handler waits', async () => {
    const images = '{messaging_destination_name="images"}';
    const mean = `sum(messaging_process_duration_sum${images}) / sum(messaging_process_duration_count${images})`;
    await expect.poll(() => prometheus.value(mean), PATIENCE).toBeGreaterThan(0.015);
    expect(await prometheus.value(mean)).toBeLessThan(5);
  });

  it('no label has the id of a job', async () => {
    const samples = await prometheus.query('{__name__=~"chasqui_.*|messaging_.*"}');
    expect(samples.length).toBeGreaterThan(50);
    const names = new Set(samples.flatMap(({ labels }) => Object.keys(labels)));
    expect([...names].filter((name) => name.endsWith('id'))).toEqual([]);
    const values = samples.flatMap(({ labels }) => Object.values(labels));
    expect(values.filter((value) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(value))).toEqual([]);
  });
});

describe('each expression of the dashboard has data', () => {
  it.each(expressions('20s'))('$title', async ({ expr }) => {
    await expect
      .poll(
        async () => (await prometheus.query(expr)).filter(({ value }) => Number.isFinite(value)),
        PATIENCE,
      )
      .not.toEqual([]);
  });
});

it('Prometheus evaluates all alerts, and none fires', async () => {
  interface Rules {
    groups: { rules: { name: string; health: string; state: string; lastError?: string }[] }[];
  }
  const rules = async (): Promise<Rules['groups'][0]['rules']> =>
    ((await prometheus.get('rules')) as Rules).groups.flatMap((group) => group.rules);
  await expect
    .poll(async () => (await rules()).map(({ health }) => health), PATIENCE)
    .not.toContain('unknown');
  for (const { name, health, state, lastError } of await rules()) {
    expect({ name, health, state, lastError }).toEqual({
      name,
      health: 'ok',
      state: 'inactive',
      lastError: undefined,
    });
  }
});
