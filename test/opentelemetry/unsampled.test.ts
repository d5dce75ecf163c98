import { context, trace } from '@opentelemetry/api';
import { AlwaysOffSampler, ParentBasedSampler } from '@opentelemetry/sdk-trace-node';
import { describe, expect, it, vi } from 'vitest';
import { ChasquiTelemetry } from '../../lib/opentelemetry/index.js';
import { useKit } from '../redis/contract/kit.js';
import { inRequest, useSdk } from './support/sdk.js';

const kit = useKit();
const sdk = useSdk({ sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }) });

describe('a trace that is not sampled', () => {
  it('has no span, and its decision travels to what the handler does', async () => {
    const telemetry = new ChasquiTelemetry();
    const queue = kit.queue({ telemetry });
    const seen: unknown[] = [];
    kit.worker(
      async () => {
        await Promise.resolve();
        seen.push(trace.getSpanContext(context.active()));
      },
      { telemetry },
    );
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
});
