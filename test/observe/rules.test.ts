import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { promtool } from '../support/prometheus.js';

const folder = fileURLToPath(new URL('../../sample/08-observe/prometheus', import.meta.url));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}
interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[];
}

const read = (name: string): unknown => parse(readFileSync(join(folder, name), 'utf8'));
const [group] = (read('alerts.yml') as { groups: [{ rules: readonly Rule[] }] }).groups;
const { tests } = read('alerts.test.yml') as { tests: readonly RuleTest[] };

let copy: string;

beforeEach(async () => {
  copy = await mkdtemp(join(tmpdir(), 'chasqui-rules-'));
  await cp(folder, copy, { recursive: true });
});

afterEach(() => rm(copy, { recursive: true, force: true }));

/** Changes the copy of the rules. */
async function edit(from: string, to: string): Promise<void> {
  const file = join(copy, 'alerts.yml');
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replace(from, to));
}

describe('promtool', () => {
  it('accepts the configuration and the rules', async () => {
    expect(await promtool(folder, 'check', 'config', 'prometheus.yml')).toMatchObject({ ok: true });
    const { ok, text } = await promtool(folder, 'check', 'rules', 'alerts.yml');
    expect({ ok, text }).toMatchObject({ ok: true });
    expect(text).toContain(`${String(group.rules.length)} rules found`);
  });

  it('passes the tests of the rules', async () => {
    expect(await promtool(folder, 'test', 'rules', 'alerts.test.yml')).toMatchObject({ ok: true });
  });

  it('finds a wrong expression', async () => {
    await edit('> 300', '> ');
    expect(await promtool(copy, 'check', 'rules', 'alerts.yml')).toMatchObject({ ok: false });
  });
});

describe.each(group.rules)('$alert', ({ alert, labels, annotations }) => {
  const checks = tests.flatMap((test) => test.alert_rule_test).filter(({ alertname }) => alertname === alert);

  it('is tested: it fires, and it does not', () => {
    expect(checks.some(({ exp_alerts }) => exp_alerts.length > 0)).toBe(true);
    expect(checks.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true);
  });

  it('says what is wrong and what to do', () => {
    expect(['critical', 'warning']).toContain(labels.severity);
    for (const text of Object.values(annotations)) expect(text).toMatch(/\w.*\.$/);
  });

  it('fails its test if it never fires, or always', async () => {
    for (const broken of ['vector(0) > 1', 'vector(1)']) {
      const file = join(copy, 'alerts.yml');
      const all = parse(readFileSync(join(folder, 'alerts.yml'), 'utf8')) as { groups: [{ rules: Rule[] }] };
      all.groups[0].rules = all.groups[0].rules.map((rule) =>
        rule.alert === alert ? { ...rule, expr: broken } : rule,
      );
      await writeFile(file, JSON.stringify(all));
      expect(await promtool(copy, 'test', 'rules', 'alerts.test.yml')).toMatchObject({ ok: false });
    }
  });
});
