import { REQUEST } from '@nestjs/core';

/**
 * Injects the job that is being run into a request-scoped provider: `@Inject(JOB_REF) private readonly job: Job`.
 * It is Nest's `REQUEST`: a provider that serves HTTP requests as well gets the request there.
 */
export const JOB_REF: typeof REQUEST = REQUEST;
