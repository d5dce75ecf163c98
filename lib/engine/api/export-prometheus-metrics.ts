import { checkGlobalLabels, toPrometheus } from '../admin/look/to-prometheus.js';
import type { ExportedQueue } from '../admin/look/to-prometheus.js';
import { ConfigError, ConfigTypeError } from '../base/errors.js';
import { checkList } from '../config/check-arguments.js';
import { settlesWithin } from '../base/deadline.js';
import { show } from '../config/checks.js';
import { Queue } from './queue.js';

/** Less than the 10 s that Prometheus waits for all queues. */
const TIMEOUT_MS = 1_000;

/**
 * The numbers of several queues in one text for Prometheus, as `queue.exportPrometheusMetrics()` has them for one. Each metric
 * has one header, as parsers want it. A queue whose Redis does not answer within a second has `NaN`, and the others their numbers.
 * @param globalVariables labels that every sample gets
 * @throws ConfigError (CMQ-004) for a value that is no queue, two queues of one name, and a label that Prometheus does not
 * accept or that the export sets itself
 */
export async function exportPrometheusMetrics(
  queues: readonly Queue[],
  globalVariables: Record<string, string> = {},
): Promise<string> {
  checkQueues(queues);
  checkGlobalLabels(globalVariables);
  return toPrometheus(await Promise.all(queues.map(read)), globalVariables);
}

async function read(queue: Queue): Promise<ExportedQueue> {
  let numbers: ExportedQueue['numbers'];
  // The connection reports its outages itself.
  const reading = queue.readNumbers().then((read) => (numbers = read));
  await settlesWithin(reading, TIMEOUT_MS);
  return { name: queue.name, numbers };
}

function checkQueues(queues: unknown): asserts queues is readonly Queue[] {
  checkList('exportPrometheusMetrics: the queues', queues);
  const names = new Set<string>();
  for (const queue of queues) {
    if (!(queue instanceof Queue)) {
      throw new ConfigTypeError(`exportPrometheusMetrics: ${show(queue)} is no Queue.`);
    }
    if (names.has(queue.name)) {
      throw new ConfigError(
        `exportPrometheusMetrics: two queues are called ${show(queue.name)}, and Prometheus could not tell them apart. ` +
          'Export each on its own, with a label in globalVariables.',
      );
    }
    names.add(queue.name);
  }
}
