import { randomUUID } from 'node:crypto';

/**
 * The name of a worker's consumer in the group: `<label>-<uuid>;lease=<ms>`. No two workers share one, whatever labels
 * they were given, so what is pending for a name is one process's. And everybody learns from it for how long a job may go
 * without a heartbeat before it is taken over: see lua/lib/lease.lua.
 */
export function consumerName(label: string, leaseMs: number): string {
  const lease = Math.min(Math.ceil(leaseMs), Number.MAX_SAFE_INTEGER);
  return `${label}-${randomUUID()};lease=${String(lease)}`;
}
