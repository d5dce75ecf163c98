export { resolveServerBinary, type ResolveServerOptions } from './server/find-server.js';
export { RedisCluster, type RedisClusterOptions } from './server/redis-cluster.js';
export { RedisSentinel, type RedisSentinelOptions } from './server/redis-sentinel.js';
export { RedisServer, type RedisServerOptions } from './server/redis-server.js';
export type { ServerProcess } from './server/server-process.js';
