import { REQUEST } from '@nestjs/core';
import { DEFAULT_CONNECTION } from './constants.js';

/** Token of a queue registered with `ChasquiModule.forFeature`; `@InjectQueue(name)` injects it. */
export function getQueueToken(name: string): string {
  return `ChasquiQueue(${name})`;
}

/** Token of a connection registered with `ChasquiModule.forRoot`. */
export function getConnectionToken(name: string = DEFAULT_CONNECTION): string {
  return `ChasquiConnection(${name})`;
}

/**
 * Injects the job that is being run into a request-scoped provider: `@Inject(JOB_REF) private readonly job: Job`.
 * It is Nest's `REQUEST`: a provider that serves HTTP requests as well gets the request there.
 */
export const JOB_REF: typeof REQUEST = REQUEST;
