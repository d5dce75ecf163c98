import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly panels: readonly Panel[];
}

const file = new URL('../../../sample/08-observe/grafana/chasqui-queues.json', import.meta.url);

export const dashboard = JSON.parse(readFileSync(fileURLToPath(file), 'utf8')) as Dashboard;

/** Every expression of the dashboard, with the variables of Grafana filled in for all queues. */
export function expressions(rateInterval: string): readonly { panel: number; title: string; expr: string }[] {
  return dashboard.panels.flatMap(({ id, title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({
      panel: id,
      title: `${title} ${refId}`,
      expr: expr.replaceAll('$queue', '.*').replaceAll('$__rate_interval', rateInterval),
    })),
  );
}
