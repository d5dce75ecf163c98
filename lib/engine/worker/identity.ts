import { randomUUID } from 'node:crypto';

/**
 * The name of a worker's consumer in the group: `<label>-<uuid>;lease=<ms>`. The uuid makes it unique, so all entries that are
 * pending for a name belong to one worker. The other workers read from it how long a job may go without a heartbeat before
 * they reclaim it: see lua/lib/lease.lua.
 */
export function consumerName(label: string, leaseMs: number): string {
  const lease = Math.min(Math.ceil(leaseMs), Number.MAX_SAFE_INTEGER);
  return `${label}-${randomUUID()};lease=${String(lease)}`;
}

/** The label in the name of a consumer; the whole name if it has none, as that of a third-party worker. */
export function labelOf(consumerId: string): string {
  const [, label = consumerId] = /^(.*)-[0-9a-f-]{36};lease=\d+$/s.exec(consumerId) ?? [];
  return label;
}

/** How Redis lists the blocking connection of a worker (CLIENT LIST). Redis takes no spaces and no special characters. */
export function connectionName(queue: string, consumerId: string): string {
  return `chasqui:${encodeURIComponent(queue)}:${encodeURIComponent(consumerId)}`;
}
