export { resolveServerBinary, type ResolveServerOptions } from './server/find-server.js';
export { RedisServer, type RedisServerOptions } from './server/redis-server.js';
