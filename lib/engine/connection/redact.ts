import { isCluster } from '../../redis/client.js';
import type { Client } from '../../redis/client.js';

/** Shorter secrets would match in any text. */
const SHORTEST = 3;
const LONGEST_MESSAGE = 2_000;

/**
 * Removes the secrets of a connection from a text: its passwords and passphrases, the arguments that servers repeat in
 * their errors, and the name of the user.
 */
export function redact(text: string, client: Client): string {
  let clean = text
    .slice(0, LONGEST_MESSAGE)
    .replace(/, with args beginning with:[^\n]*/g, '')
    .replace(/(rediss?|valkeys?):\/\/[^\s@/]*@/gi, '$1://***@')
    .replace(/\buser \S+ has no permissions/gi, 'this user has no permissions');
  for (const secret of secretsOf(client)) {
    if (clean.includes(secret)) clean = clean.replaceAll(secret, '***');
  }
  return clean;
}

const SECRET_KEYS = ['password', 'sentinelPassword'] as const;

interface Holder extends Partial<Record<(typeof SECRET_KEYS)[number], unknown>> {
  readonly tls?: unknown;
  readonly sentinelTLS?: unknown;
}

function secretsOf(client: Client): string[] {
  const { options = {} } = client as { options?: Holder };
  const holders: Holder[] = isCluster(client)
    ? [
        client.options.redisOptions ?? {},
        ...((client as unknown as { startupNodes?: Holder[] }).startupNodes ?? []),
      ]
    : [options];
  const found: unknown[] = [];
  for (const holder of holders) {
    if (typeof holder !== 'object') continue;
    for (const key of SECRET_KEYS) found.push(holder[key]);
    for (const tls of [holder.tls, holder.sentinelTLS]) {
      found.push((tls as { passphrase?: unknown } | undefined)?.passphrase);
    }
  }
  return found.filter((secret): secret is string => typeof secret === 'string' && secret.length >= SHORTEST);
}
