export { ChasquiScaler } from './chasqui.scaler.js';
export { ChasquiScalerModule, type ChasquiScalerOptions } from './scaler.module.js';
export { QueueNotInUseError, SCALER_ERROR_CODES } from './errors.js';
export type { ScaleReport } from './scale-report.js';
