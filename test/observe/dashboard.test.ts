import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { promtool } from '../support/prometheus.js';
import { dashboard, expressions, type Panel } from './support/dashboard.js';

const rows = dashboard.panels.filter(({ type }) => type === 'row');
const charts = dashboard.panels.filter(({ type }) => type !== 'row');

describe('the dashboard', () => {
  it('has what an import into Grafana needs', () => {
    expect(dashboard).toMatchObject({ uid: 'chasqui-queues', title: expect.any(String) as string });
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(36);
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['queue', 'query'],
    ]);
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(rows.length).toBeGreaterThan(0);
  });

  it('has panels that fill their rows and do not overlap', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          const at = `${String(x)},${String(y)}`;
          expect(taken.get(at), `${title} is over another panel`).toBeUndefined();
          taken.set(at, title);
        }
      }
    }
    expect(taken.size % 24).toBe(0);
  });

  it('leaves no variable in an expression but its own', () => {
    for (const { title, expr } of expressions('1m')) expect(expr, title).not.toContain('$');
  });
});

describe.each(charts)('$title', ({ type, datasource, description, fieldConfig, targets = [] }: Panel) => {
  it('reads the data source that the user selects, and says what it shows', () => {
    expect(['timeseries', 'stat']).toContain(type);
    expect(datasource).toEqual({ type: 'prometheus', uid: '${datasource}' });
    expect(description).toMatch(/\.$/);
    expect(fieldConfig?.defaults.unit).toMatch(/^(s|short|ops|percentunit)$/);
    expect(targets.length).toBeGreaterThan(0);
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  });
});

describe('a panel has a number', () => {
  const q = (queue: string, more = ''): string => `{messaging_destination_name="${queue}"${more}}`;
  const jobs = (queue: string, state: string): string =>
    `chasqui_queue_jobs${q(queue, `, chasqui_job_state="${state}"`)}`;
  const ends = (outcome: string): string =>
    `chasqui_jobs_ended_total${q('images', `, chasqui_job_name="resize", chasqui_job_outcome="${outcome}"`)}`;
  const series: Readonly<Record<string, string>> = {
    // The Redis of this queue is down.
    [jobs('mail', 'waiting')]: '9 NaN NaN NaN NaN NaN NaN',
    [jobs('mail', 'failed')]: '9 NaN NaN NaN NaN NaN NaN',
    [`chasqui_queue_reachable${q('mail')}`]: '1 0x5',
    [`chasqui_queue_reachable${q('images')}`]: '1x6',
    [`chasqui_queue_workers${q('mail')}`]: '1 NaN NaN NaN NaN NaN NaN',
    [`chasqui_queue_oldest_waiting_age${q('mail')}`]: '9 NaN NaN NaN NaN NaN NaN',
    [`chasqui_schedule_lag${q('mail')}`]: '9 NaN NaN NaN NaN NaN NaN',
    // This one is fine, and has nothing to do any more.
    [jobs('images', 'waiting')]: '3x6',
    [jobs('images', 'failed')]: '2x6',
    [`chasqui_queue_workers${q('images')}`]: '4x6',
    [`chasqui_queue_oldest_waiting_age${q('images')}`]: '5x6',
    [`chasqui_schedule_lag${q('images')}`]: '0x6',
    [ends('completed')]: '0x6',
    [ends('dead-lettered')]: '0x6',
    [`chasqui_worker_leases_lost_total${q('images')}`]: '0 0 6x4',
  };

  it.each<[title: string, value: number, state?: string]>([
    ['Waiting jobs', 3],
    ['Oldest waiting job', 5],
    ['Failed runs', 0],
    ['Dead letters', 2],
    ['Workers', 4],
    ['Most overdue schedule', 0],
    ['Jobs by state', 3, 'waiting'],
    ['Queues out of reach', 1],
    ['Lost leases', 6],
    ['Reconnects to Redis', 0],
  ])(
    'while one Redis of two is down, and at the first step of a counter: %s',
    async (title, value, state) => {
      const { id } = charts.find((chart) => chart.title === title) as Panel;
      const { expr } = expressions('5m').find((one) => one.panel === id) as { expr: string };
      const labels = state === undefined ? '{}' : `{chasqui_job_state="${state}"}`;
      const input = Object.entries(series).map(([name, values]) => ({ series: name, values }));
      const check = { expr, eval_time: '5m', exp_samples: [{ labels, value }] };
      const tests = [{ interval: '1m', input_series: input, promql_expr_test: [check] }];
      const folder = await mkdtemp(join(tmpdir(), 'chasqui-dashboard-'));
      try {
        await writeFile(join(folder, 'test.yml'), JSON.stringify({ evaluation_interval: '1m', tests }));
        expect(await promtool(folder, 'test', 'rules', 'test.yml')).toMatchObject({ ok: true });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});
