import { describe, expect, it } from 'vitest';
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
