import { isDeepStrictEqual } from 'node:util';
import { ConfigError, type BatchesOptions, type TimeLimits } from '../../engine/index.js';
import { checkOptions, type Schema } from '../../engine/config/check-options.js';
import { show } from '../../engine/config/checks.js';
import { BATCH_TIMEOUT_MS, batchingSchema } from '../../engine/config/options/batches.js';
import { limitsSchema } from '../../engine/config/options/job.js';
import type { OnJobOptions } from '../decorators/on-job.decorator.js';

/** The options of a method, from all of its `@OnJob`. */
export interface HandlerOptions {
  /** Undefined if it has none. */
  readonly limits: TimeLimits | undefined;
  /** Undefined if its jobs come one at a time. */
  readonly batches: BatchesOptions | undefined;
}

const schema: Schema<OnJobOptions> = { ...limitsSchema, batches: batchingSchema.batches };

/** @throws ConfigError (CMQ-004) for a wrong option, or for two values of one option */
export function optionsOfHandler(options: readonly OnJobOptions[]): HandlerOptions {
  const merged: Record<string, unknown> = {};
  for (const given of options) {
    const checked: Record<string, unknown> = { ...checkOptions<OnJobOptions>('options', schema, given) };
    for (const [option, value] of Object.entries(checked)) {
      const other = merged[option] ?? value;
      if (!isDeepStrictEqual(other, value)) {
        throw new ConfigError(
          `the method has ${option}: ${shown(other)} and ${option}: ${shown(value)}. An option applies to all names of the method: set it once, or make two methods.`,
        );
      }
      merged[option] = value;
    }
  }
  const { batches, ...limits } = merged as OnJobOptions;
  checkWait(batches, limits);
  return { batches, limits: Object.keys(limits).length === 0 ? undefined : limits };
}

/** Jobs that may not wait as long as their batch does would expire in the worker. */
function checkWait(batches: BatchesOptions | undefined, { ttlMs = Infinity }: TimeLimits): void {
  const { minSize = 1, timeoutMs = BATCH_TIMEOUT_MS } = batches ?? {};
  if (minSize === 1 || timeoutMs < ttlMs) return;
  throw new ConfigError(
    `its jobs would expire while they wait for their batch: "ttlMs" is ${String(ttlMs)} ms, and a batch waits up to ${String(timeoutMs)} ms for its "minSize". Set a shorter "timeoutMs" in "batches".`,
  );
}

function shown(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : show(value);
}
