/*
 * Consumers that are no workers: see lua/lib/lease.lua. Any worker may reclaim the jobs that they have.
 */

/** Has jobs that were handed over. */
export const RELEASED = 'released;lease=0';
/** Has jobs of dead workers that a rate limit keeps from their start. */
export const EXPIRED = 'expired;lease=0';
