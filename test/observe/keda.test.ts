import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { scaleReport } from '../../lib/scaler/scale-report.js';
import { blocksOf } from '../docs/support/blocks.js';

const file = fileURLToPath(new URL('../../sample/08-observe/keda/scaled-object.yaml', import.meta.url));
const text = readFileSync(file, 'utf8');
const [authentication, scaledObject] = parseAllDocuments(text, { strict: true }).map((document) => {
  expect([...document.errors, ...document.warnings]).toEqual([]);
  return document.toJS() as Record<string, Record<string, unknown>>;
});

/** The fields that KEDA's reference lists (https://keda.sh/docs/latest/reference/scaledobject-spec/). */
const SPEC = [
  ...['scaleTargetRef', 'triggers', 'pollingInterval', 'cooldownPeriod', 'initialCooldownPeriod'],
  ...['idleReplicaCount', 'minReplicaCount', 'maxReplicaCount', 'fallback', 'advanced'],
];
const TRIGGER = ['type', 'name', 'metadata', 'metricType', 'authenticationRef', 'useCachedMetrics'];
/** The parameters of its metrics-api trigger (https://keda.sh/docs/latest/scalers/metrics-api/). */
const METRICS_API = [
  ...['url', 'valueLocation', 'targetValue', 'activationTargetValue', 'format', 'unsafeSsl'],
  ...['authMode', 'method', 'keyParamName', 'aggregateFromKubeServiceEndpoints', 'aggregationType'],
];

interface Trigger {
  readonly type: string;
  readonly metricType: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly authenticationRef: { readonly name: string };
}

describe('the ScaledObject', () => {
  const spec = scaledObject?.['spec'] as { triggers: [Trigger] } & Record<string, unknown>;
  const [trigger] = spec.triggers;

  it('has only fields that KEDA knows', () => {
    expect(scaledObject).toMatchObject({ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject' });
    expect(Object.keys(spec).filter((key) => !SPEC.includes(key))).toEqual([]);
    expect(Object.keys(trigger).filter((key) => !TRIGGER.includes(key))).toEqual([]);
    expect(Object.keys(trigger.metadata).filter((key) => !METRICS_API.includes(key))).toEqual([]);
  });

  it('has values of the types that KEDA takes: all parameters of a trigger are texts', () => {
    expect(spec).toMatchObject({ scaleTargetRef: { name: expect.any(String) as string } });
    for (const key of ['minReplicaCount', 'maxReplicaCount', 'pollingInterval', 'cooldownPeriod']) {
      expect(Number.isInteger(spec[key]), key).toBe(true);
    }
    for (const value of Object.values(trigger.metadata)) expect(value).toBeTypeOf('string');
    expect(Number(trigger.metadata['targetValue'])).toBeGreaterThan(0);
    expect(['AverageValue', 'Value']).toContain(trigger.metricType);
  });

  it('reads a number that the endpoint has, at the path of the endpoint', () => {
    expect(trigger.type).toBe('metrics-api');
    expect(new URL(String(trigger.metadata['url'])).pathname).toBe('/chasqui/scale/mail');
    const report: object = scaleReport('mail', {
      ...{ waiting: 1, oldestWaitingMs: 1, active: 1, delayed: 1, due: 1, overdueMs: 1, deadLetters: 1 },
      ...{
        dueSchedules: 1,
        schedulesOverdueMs: 1,
        prioritized: 0,
        startable: 1,
        paused: false,
        pausedSince: undefined,
      },
    });
    const field = report[trigger.metadata['valueLocation'] as keyof typeof report] as unknown;
    expect(field).toBeTypeOf('number');
  });

  it('names the TriggerAuthentication, which has what `bearer` needs', () => {
    expect(authentication).toMatchObject({
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'TriggerAuthentication',
      metadata: { name: trigger.authenticationRef.name },
      spec: { secretTargetRef: [{ parameter: 'token' }] },
    });
    expect(trigger.metadata['authMode']).toBe('bearer');
  });
});

it('is what the page shows', () => {
  expect(blocksOf('docs/monitoring.md', 'yaml').map(({ code }) => code)).toContain(text);
});
