export { ChasquiHealthIndicator } from './chasqui.health.js';
export type * from './options.js';
