import { Session } from 'node:inspector/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Telemetry } from '../../lib/engine/index.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { useKit } from '../redis/contract/kit.js';
import { useSdk } from './support/sdk.js';

const kit = useKit();
useSdk();
const session = new Session();

beforeAll(async () => {
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
});

afterAll(() => {
  session.disconnect();
});

const OF_TELEMETRY =
  /lib\/opentelemetry\/|engine\/base\/telemetry|worker\/observe-worker|enqueue\/send-observed|codec\/trace/;

/** How often the functions of each file that serves a telemetry alone were called since the last time. */
async function calls(): Promise<Record<string, number>> {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const counts: Record<string, number> = {};
  for (const { url, functions } of result) {
    const [file] = OF_TELEMETRY.exec(url) ?? [];
    const count = functions.reduce((sum, { ranges }) => sum + (ranges[0]?.count ?? 0), 0);
    if (file !== undefined && count > 0) counts[file] = (counts[file] ?? 0) + count;
  }
  return counts;
}

/** What jobs call once queue and worker are ready. */
async function callsOfJobs(telemetry?: Telemetry): Promise<Record<string, number>> {
  const options = telemetry && { telemetry };
  const queue = kit.queue(options);
  let left = 400;
  await new Promise<void>((resolve, reject) => {
    const worker = kit.worker(() => {
      if (--left === 0) resolve();
    }, options);
    const add = async (): Promise<void> => {
      await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
      await calls();
      const jobs = Array.from({ length: 50 }, (_, data) => ({ name: 'welcome', data }));
      for (let i = 0; i < 4; i++) await queue.addBulk(jobs);
      await Promise.all(Array.from({ length: 200 }, (_, data) => queue.add('welcome', data)));
    };
    add().catch(reject);
  });
  return calls();
}

it('without the option, jobs call nothing of the telemetry', async () => {
  expect(await callsOfJobs()).toEqual({});
});

it('with it, they do', async () => {
  const counts = await callsOfJobs(new ChasquiTelemetry());
  expect(counts['worker/observe-worker']).toBeGreaterThanOrEqual(400);
  expect(counts['enqueue/send-observed']).toBeGreaterThanOrEqual(204);
});
