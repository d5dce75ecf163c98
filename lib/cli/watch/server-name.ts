import type { Servers } from '../../engine/admin/servers.js';

/** Such as `Redis 7.0.15`; undefined if the user may not ask. */
export async function serverName(servers: Servers): Promise<string | undefined> {
  try {
    const [master] = await servers.masters();
    const info = String(await master?.call('INFO', 'server'));
    const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
    const redis = /^redis_version:(\S+)/m.exec(info)?.[1];
    return valkey ? `Valkey ${valkey}` : redis && `Redis ${redis}`;
  } catch {
    return undefined;
  }
}
