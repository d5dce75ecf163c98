import { context, createContextKey, propagation, trace, type TextMapPropagator } from '@opentelemetry/api';
import { AlwaysOffSampler, ParentBasedSampler } from '@opentelemetry/sdk-trace-node';
import { describe, expect, it, vi } from 'vitest';
import type { Queue } from '../../lib/engine/index.js';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { useKit } from '../redis/contract/kit.js';
import { inRequest, useSdk } from './support/sdk.js';

const kit = useKit();
const sdk = useSdk({ sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) });

/** A queue and a worker with one telemetry, and what the handlers read of their context after an await. */
function reading<T>(read: () => T, handler: (runs: number) => void = () => undefined): [Queue, T[]] {
  const telemetry = new ChasquiTelemetry();
  const seen: T[] = [];
  kit.worker(
    async () => {
      await Promise.resolve();
      seen.push(read());
      handler(seen.length);
    },
    { telemetry },
  );
  return [kit.queue({ telemetry }), seen];
}

describe('a trace that is not sampled', () => {
  it('has no span, and its decision travels to what the handler does', async () => {
    const [queue, seen] = reading(() => trace.getSpanContext(context.active()));
    let sent: unknown;
    await inRequest(async () => {
      sent = trace.getSpanContext(context.active());
      await queue.add('welcome', {});
      await queue.add('welcome', {});
      await queue.addBulk([{ name: 'welcome', data: 1 }]);
    });
    await queue.add('rootless', {});
    await vi.waitFor(() => {
      expect(seen).toHaveLength(4);
    });
    const { traceId: id } = sent as { traceId: string };
    for (const found of seen.slice(0, 3)) {
      expect(found).toMatchObject({ traceId: id, traceFlags: 0, isRemote: true });
    }
    expect(seen[3]).toMatchObject({ traceFlags: 0, isRemote: true });
    expect(sdk.spans()).toEqual([]);
  });

  it('that begins with an add travels without ids: each run has ids of its own, and the decision', async () => {
    const sentOn = (): string => {
      const headers: Record<string, string> = {};
      propagation.inject(context.active(), headers);
      return headers['traceparent'] ?? '';
    };
    const [queue, seen] = reading(sentOn, (runs) => {
      if (runs === 1) throw new Error('once');
    });
    await queue.add('one', {}, { attempts: 2, backoff: 1 });
    await queue.addBulk([{ name: 'two', data: 2 }]);
    await vi.waitFor(() => {
      expect(seen).toHaveLength(3);
    });
    for (const header of seen) expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(new Set(seen).size).toBe(3);
    expect(sdk.spans()).toEqual([]);
  });

  it('that begins with an add carries what another propagator says of it', async () => {
    const key = createContextKey('tenant');
    const tenant: TextMapPropagator = {
      fields: () => ['x-tenant'],
      inject: (active, carrier, setter) => {
        setter.set(carrier, 'x-tenant', String(active.getValue(key)));
      },
      extract: (active, carrier, getter) => active.setValue(key, getter.get(carrier, 'x-tenant')),
    };
    propagation.disable();
    propagation.setGlobalPropagator(tenant);
    const [queue, seen] = reading(() => context.active().getValue(key));
    await context.with(context.active().setValue(key, 'acme'), () => queue.add('one', {}));
    await vi.waitFor(() => {
      expect(seen).toEqual(['acme']);
    });
  });
});
