export { ChasquiTelemetry } from './chasqui.telemetry.js';
export type { ChasquiTelemetryOptions } from './options.js';
