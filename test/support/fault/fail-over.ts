import type { RedisSentinel, RedisServer } from '../../../lib/testing/index.js';
import { withAdmin } from '../../../lib/testing/server/admin.js';
import { waitUntil } from '../../../lib/testing/server/wait-until.js';

/**
 * Lets the sentinels fail over to the replica. Resolves when the old master knows that it is a replica. Sentinel names the new
 * master about a second before that (eight with its default periods), and until then the old master accepts writes, from
 * clients that stay connected to it. They are lost.
 */
export async function failOver(sentinel: RedisSentinel): Promise<void> {
  const old = await sentinel.master();
  await withAdmin(sentinel.sentinels[0]!, (admin) => admin.call('SENTINEL', 'FAILOVER', sentinel.name));
  await waitUntil('The failover', 20_000, async () =>
    (await sentinel.master()) === old ? 'the old master is still named' : undefined,
  );
  await untilRole(old, 'slave');
}

/** Resolves when a server that runs says that it is a master or a replica. */
export async function untilRole(server: RedisServer, role: 'master' | 'slave'): Promise<void> {
  await waitUntil(`The role ${role}`, 20_000, () =>
    withAdmin(server, async (admin) =>
      (await admin.info('replication')).includes(`role:${role}`) ? undefined : 'another role',
    ),
  );
}
