/**
 * What the methods of a {@link Job} do in Redis, by job id. `Queue` and `Worker` supply it to their jobs; admin/job-actions.ts
 * implements it.
 */
export interface JobActions {
  remove(jobId: string): Promise<void>;
}
