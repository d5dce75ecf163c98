/** For the folders beside the engine, which must not import lib/redis. */
export { settlesWithin } from '../../redis/deadline.js';
export { Timer } from '../../redis/timer.js';
