import { ConfigError } from '../../base/errors.js';
import { jobsByState } from '../../base/telemetry.js';
import type { QueueGauges } from '../../base/telemetry.js';
import { NOT_WELL_FORMED, isWellFormed, record, show } from '../../config/checks.js';
import { COUNTED_TYPES } from './job-types.js';
import type { QueueNumbers } from './queue-numbers.js';

/** Labels that every sample gets, by name. They are checked. */
export type GlobalLabels = Readonly<Record<string, string>>;

/** A queue in an export. `numbers` are undefined if Redis has not answered. */
export interface ExportedQueue {
  readonly name: string;
  readonly numbers: QueueNumbers | undefined;
}

interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** The samples of one queue: other labels than the queue, and the value. Undefined: not known. */
  readonly samples: (numbers: QueueNumbers | undefined) => readonly Sample[];
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number | undefined];

/** The label that names the queue: in BullMQ's metrics, and in ours. */
const BULLMQ_QUEUE = 'queue';
const QUEUE = 'messaging_destination_name';

/** Labels that the export sets itself. */
const OWN_LABELS: readonly string[] = [BULLMQ_QUEUE, QUEUE, 'state', 'chasqui_job_state'];

const single =
  (of: (gauges: QueueGauges) => number): Family['samples'] =>
  (numbers) => [[{}, numbers && of(numbers.gauges)]];

const ended =
  (kind: 'completed' | 'failed'): Family['samples'] =>
  (numbers) =>
    numbers?.ended[kind] === undefined ? [] : [[{}, numbers.ended[kind]]];

/** The names of BullMQ's export, where it has the number; and those that ChasquiTelemetry has in Prometheus. */
const FAMILIES: readonly Family[] = [
  {
    name: 'bullmq_job_count',
    type: 'gauge',
    help: 'Number of jobs in the queue by state',
    samples: (numbers) => COUNTED_TYPES.map((state) => [{ state }, numbers?.counts[state]]),
  },
  {
    name: 'bullmq_job_completed_total',
    type: 'counter',
    help: 'Total number of completed jobs',
    samples: ended('completed'),
  },
  {
    name: 'bullmq_job_failed_total',
    type: 'counter',
    help: 'Total number of failed jobs',
    samples: ended('failed'),
  },
  {
    name: 'chasqui_queue_jobs',
    type: 'gauge',
    help: 'Jobs in the queue, by state.',
    samples: (numbers) =>
      jobsByState(numbers?.gauges).map(([state, count]) => [{ chasqui_job_state: state }, count]),
  },
  {
    name: 'chasqui_queue_oldest_waiting_age',
    type: 'gauge',
    help: 'For how long the oldest waiting job has waited; 0 if none waits.',
    samples: single(({ oldestWaitingMs }) => oldestWaitingMs / 1000),
  },
  {
    name: 'chasqui_queue_promotion_lag',
    type: 'gauge',
    help: 'By how much the earliest due job of the delayed set is late; 0 if none is due.',
    samples: single(({ overdueMs }) => overdueMs / 1000),
  },
  {
    name: 'chasqui_queue_workers',
    type: 'gauge',
    help: 'Workers of all processes.',
    samples: single(({ workers }) => workers),
  },
  {
    name: 'chasqui_queue_paused',
    type: 'gauge',
    help: '1 if the queue is paused, else 0.',
    samples: single(({ isPaused }) => Number(isPaused)),
  },
  {
    name: 'chasqui_queue_reachable',
    type: 'gauge',
    help: '1 if this process reaches the Redis of the queue, 0 if not.',
    samples: (numbers) => [[{}, Number(numbers !== undefined)]],
  },
  {
    name: 'chasqui_schedule_lag',
    type: 'gauge',
    help: 'By how much the earliest due schedule is late; 0 if none is due.',
    samples: single(({ scheduleLagMs }) => scheduleLagMs / 1000),
  },
];

/** @throws ConfigError (CMQ-004) unless Prometheus accepts all names and values, and the export does not set them itself */
export function checkGlobalLabels(labels: unknown): asserts labels is GlobalLabels {
  const wrong = (what: string): ConfigError => new ConfigError(`exportPrometheusMetrics: ${what}`);
  if (record(labels) !== undefined) throw wrong(`globalVariables must be an object, not ${show(labels)}.`);
  for (const [name, value] of Object.entries(labels as object) as [string, unknown][]) {
    if (!/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      throw wrong(
        `${show(name)} is no name of a label. Use letters, digits and _, do not begin with a digit or with __.`,
      );
    }
    if (OWN_LABELS.includes(name)) throw wrong(`the label ${show(name)} is set by the export. Rename yours.`);
    if (typeof value !== 'string')
      throw wrong(`the label ${show(name)} must be a string, not ${show(value)}.`);
    if (!isWellFormed(value)) throw wrong(`the label ${show(name)} ${NOT_WELL_FORMED}.`);
  }
}

/** The numbers of queues in the text format of Prometheus. Each metric has one header, however many queues there are. */
export function toPrometheus(queues: readonly ExportedQueue[], globals: GlobalLabels): string {
  return FAMILIES.map(({ name, type, help, samples }) => {
    const key = name.startsWith('bullmq') ? BULLMQ_QUEUE : QUEUE;
    const lines = queues.flatMap((queue) =>
      samples(queue.numbers).map(
        ([labels, value]) =>
          `${name}${toLabels({ [key]: queue.name, ...labels, ...globals })} ${String(value ?? NaN)}\n`,
      ),
    );
    return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
  }).join('');
}

function toLabels(labels: GlobalLabels): string {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${all.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}
