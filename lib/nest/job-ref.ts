import { REQUEST } from '@nestjs/core';

/**
 * Injects the running job into a request-scoped provider: `@Inject(JOB_REF) private readonly job: Job`. It is the same
 * token as Nest's `REQUEST`, so a provider that also serves HTTP requests gets the request there.
 */
export const JOB_REF: typeof REQUEST = REQUEST;
