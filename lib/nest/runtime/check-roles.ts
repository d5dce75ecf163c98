import { nearestKey } from '../../engine/config/nearest-key.js';
import { QueueNotRegisteredError } from '../errors.js';
import type { RegisteredConnection } from './registered-connection.js';

/**
 * Checks the names in `workers`. The list may come from the environment, and a typo would leave a queue without a worker.
 * @throws QueueNotRegisteredError
 */
export function checkRoles(connections: readonly RegisteredConnection[], queues: readonly string[]): void {
  for (const { name, workers } of connections) {
    if (typeof workers === 'boolean') continue;
    for (const queue of workers) {
      if (queues.includes(queue)) continue;
      throw new QueueNotRegisteredError(
        queue,
        `An entry of \`workers\` in ChasquiModule.forRoot (connection "${name}")`,
        nearestKey(queue, queues),
      );
    }
  }
}
