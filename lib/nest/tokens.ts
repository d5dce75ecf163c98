import { DEFAULT_CONNECTION } from './constants.js';

/** Token of a queue registered with `ChasquiModule.forFeature`; `@InjectQueue(name)` injects it. */
export function getQueueToken(name: string): string {
  return `ChasquiQueue(${name})`;
}

/** Token of a connection registered with `ChasquiModule.forRoot`. */
export function getConnectionToken(name: string = DEFAULT_CONNECTION): string {
  return `ChasquiConnection(${name})`;
}
