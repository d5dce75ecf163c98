import { record } from '../checks.js';
import type { Check } from '../checks.js';

const OURS = 'new ChasquiTelemetry() of nestjs-chasqui/opentelemetry';

export const telemetry: Check = (value) => {
  if (record(value) !== undefined) return `must be a Telemetry, such as ${OURS}`;
  const { producer, worker, tracer } = value as Readonly<Record<string, unknown>>;
  if (typeof producer === 'function' || typeof worker === 'function') return undefined;
  return tracer === undefined
    ? `must have a method producer() or worker(), as ${OURS}`
    : `is a telemetry for BullMQ, which this package cannot call. Use ${OURS}`;
};
