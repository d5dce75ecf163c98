export * from './engine/index.js';
export * from './nest/index.js';
// Of the two that bear this name, an application writes the decorator.
export { Processor } from './nest/index.js';
export type { Processor as JobProcessor } from './engine/index.js';
