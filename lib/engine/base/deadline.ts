/** For what stands beside the engine: only the engine knows lib/redis. */
export { settlesWithin } from '../../redis/deadline.js';
export { Timer } from '../../redis/timer.js';
