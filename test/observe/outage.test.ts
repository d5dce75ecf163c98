import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSample, type ObservedSample } from './support/observed-sample.js';

// The alerts of the sample in a real Prometheus, while the running sample app loses its Redis, and then ends.
const PATIENCE = { timeout: 30_000, interval: 250 };

let sample: ObservedSample;

beforeAll(async () => {
  // As they are, but they do not wait before they fire.
  sample = await startSample((rules) => rules.replaceAll(/ for: \w+/g, ' for: 1s'));
}, 60_000);

afterAll(() => sample.stop());

/** The alerts that fire, each with its queue. */
async function firing(): Promise<string[]> {
  const { alerts } = (await sample.prometheus.get('alerts')) as {
    alerts: { state: string; labels: Record<string, string> }[];
  };
  return alerts
    .filter(({ state }) => state === 'firing')
    .map(({ labels }) => [labels['alertname'], labels['messaging_destination_name']].join(' ').trim())
    .sort();
}

it('the first dead letters of a process are an alert, and so is their share of the jobs', async () => {
  await expect.poll(() => sample.prometheus.value('max(chasqui_queue_workers)'), PATIENCE).toBe(1);
  await expect.poll(firing, PATIENCE).toEqual([]);
  for (let i = 0; i < 4; i += 1) await sample.post('mails', { to: 'nobody@example.com' });
  await expect.poll(firing, PATIENCE).toEqual(['ChasquiDeadLetterRate mail', 'ChasquiDeadLetters mail']);
});

it('Redis is killed: each of its queues is an alert, which ends by itself when Redis is back', async () => {
  const unreachable = ['ChasquiQueueUnreachable images', 'ChasquiQueueUnreachable mail'];
  const outages = async (): Promise<string[]> =>
    (await firing()).filter((alert) => /Unreachable|NoNumbers/.test(alert));
  await expect.poll(outages, PATIENCE).toEqual([]);
  await sample.redis.kill();
  await expect.poll(outages, PATIENCE).toEqual(unreachable);
  await sample.redis.restart();
  await expect.poll(outages, PATIENCE).toEqual([]);
  const reconnects = 'sum(increase(chasqui_connection_reconnects_total[1m]))';
  await expect.poll(() => sample.prometheus.value(reconnects), PATIENCE).toBeGreaterThan(0);
});

it('the application ends: nobody reports any queue', async () => {
  expect(await sample.stopApp()).toBe(0);
  await expect.poll(firing, PATIENCE).toContain('ChasquiNoNumbers');
});
