import { styleText } from 'node:util';

const WIDTH = 40;

/** Draws, for each tenant, for how long its jobs waited: half of them up to the solid bar, 95 of 100 up to the light one. */
export function drawWaiting(title: string, waitedByTenant: ReadonlyMap<string, readonly number[]>): void {
  const rows = [...waitedByTenant]
    .map(([tenant, waited]) => ({ tenant, half: quantile(waited, 0.5), most: quantile(waited, 0.95) }))
    .sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
  const longest = Math.max(1, ...rows.map(({ most }) => most));
  console.log(`\n${title}`);
  for (const { tenant, half, most } of rows) {
    const solid = Math.round((half / longest) * WIDTH);
    const light = Math.round((most / longest) * WIDTH) - solid;
    const bar = color('cyan', '█'.repeat(solid)) + color('blue', '░'.repeat(light));
    const pad = ' '.repeat(WIDTH - solid - light);
    console.log(`  ${tenant.padEnd(8)} ${bar}${pad} p50 ${ms(half)}  p95 ${ms(most)}`);
  }
}

/** One line per run: for how long 95 of 100 jobs of each tenant waited at most. */
export function summarize(runs: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>): void {
  console.log('\nIn short, p95 of the waiting time:');
  const width = Math.max(...[...runs.keys()].map((name) => name.length));
  for (const [name, waitedByTenant] of runs) {
    const tenants = [...waitedByTenant].sort(([a], [b]) => (a < b ? -1 : 1));
    const parts = tenants.map(([tenant, waited]) => `${tenant} ${ms(quantile(waited, 0.95))}`);
    console.log(`  ${name.padEnd(width)}  ${parts.join('  ')}`);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function ms(value: number): string {
  return `${String(value).padStart(4)} ms`;
}

function color(name: 'cyan' | 'blue', text: string): string {
  const plain = Boolean(process.env['NO_COLOR']) || !process.stdout.isTTY;
  return plain || text === '' ? text : styleText(name, text);
}
