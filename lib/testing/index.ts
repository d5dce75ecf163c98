export {
  EventRecorder,
  recordEvents,
  type RecordedData,
  type RecordedEvent,
  type RecordedName,
  type WaitOptions,
} from './event-recorder.js';
export { FakeQueue, fakeQueueProvider, type AddedJob, type FakeQueueOptions } from './fake-queue.js';
export { RecordingSink, type SinkEvents, type SinkRecord } from './recording-sink.js';
export { resolveServerBinary, type ResolveServerOptions } from './server/find-server.js';
export { RedisCluster, type RedisClusterOptions } from './server/redis-cluster.js';
export { RedisSentinel, type RedisSentinelOptions } from './server/redis-sentinel.js';
export { RedisServer, type RedisServerOptions } from './server/redis-server.js';
export type { ServerProcess } from './server/server-process.js';
export { testJob, type TestJobInit } from './test-job.js';
export { TestRedis } from './test-redis.js';
export { drain, waitForJob, type DrainOptions, type JobMilestone } from './waiters.js';
