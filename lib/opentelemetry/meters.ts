import type {
  Attributes,
  BatchObservableResult,
  Histogram,
  Meter,
  MeterProvider,
  Observable,
  ObservableResult,
} from '@opentelemetry/api';
import { jobsByState } from '../engine/base/telemetry.js';
import { engineVersion } from '../engine/index.js';
import { ATTRIBUTES, METRICS, SCOPE } from './conventions.js';
import type { Metric } from './conventions.js';
import { EventLoop } from './event-loop.js';
import { GaugeReader } from './gauges.js';
import type { QueueReading } from './gauges.js';
import { Count, QueueCounts } from './queue-counts.js';

export interface MeterSettings {
  readonly maxJobNames: number;
  readonly maxMeasuredPerSecond: number;
  readonly gaugeTimeoutMs: number;
}

type Gauges = Readonly<Record<GaugeName, Observable>>;
type GaugeName = {
  [Name in keyof typeof METRICS]: (typeof METRICS)[Name]['kind'] extends 'gauge' ? Name : never;
}[keyof typeof METRICS];

/** One for each provider: telemetries that have the same provider count together, as the SDK would add up their counters. */
const byProvider = new WeakMap<MeterProvider, Meters>();

/**
 * The instruments of one provider, and what they show. Counters are counted here, and the SDK asks for them when it collects:
 * counting in the SDK takes as long as the engine takes for a job.
 */
export class Meters {
  readonly gauges: GaugeReader;
  readonly operationDuration: Histogram;
  readonly processDuration: Histogram;
  readonly wait: Histogram;
  readonly #settings: MeterSettings;
  readonly #queues = new Map<string, QueueCounts>();
  readonly #reconnects = new Count({});
  readonly #outages = new WeakSet();
  readonly #loop = new EventLoop();
  /** Queues whose gauges were shown. */
  readonly #shown = new Set<string>();
  /** Those of them that had a worker here. */
  readonly #worked = new Set<string>();

  /** The settings of the first telemetry of a provider apply. */
  static of(provider: MeterProvider, settings: MeterSettings): Meters {
    let meters = byProvider.get(provider);
    if (!meters) byProvider.set(provider, (meters = new Meters(provider, settings)));
    return meters;
  }

  private constructor(provider: MeterProvider, settings: MeterSettings) {
    const meter = provider.getMeter(SCOPE, engineVersion());
    this.#settings = settings;
    this.gauges = new GaugeReader(settings.gaugeTimeoutMs);
    this.operationDuration = histogram(meter, METRICS.operationDuration);
    this.processDuration = histogram(meter, METRICS.processDuration);
    this.wait = histogram(meter, METRICS.wait);
    this.#addCounters(meter);
    const gauges = gaugesOf(meter);
    meter.addBatchObservableCallback((result) => this.#observeGauges(result, gauges), Object.values(gauges));
  }

  queue(name: string): QueueCounts {
    let counts = this.#queues.get(name);
    if (!counts) {
      const { maxJobNames, maxMeasuredPerSecond } = this.#settings;
      counts = new QueueCounts(name, maxJobNames, maxMeasuredPerSecond);
      this.#queues.set(name, counts);
    }
    return counts;
  }

  /** Users of one connection report its outages each; one outage counts once. */
  reconnected(outage: object): void {
    if (this.#outages.has(outage)) return;
    this.#outages.add(outage);
    this.#reconnects.value += 1;
  }

  #addCounters(meter: Meter): void {
    const counter = (metric: Metric, counts: () => Iterable<Count>): void => {
      const { name, unit, description } = metric;
      meter.createObservableCounter(name, { unit, description }).addCallback((result) => {
        observe(result, counts());
      });
    };
    const queues = this.#queues;
    const added = (): QueueCounts[] => [...queues.values()].filter(({ isAdded }) => isAdded);
    const worked = (): QueueCounts[] => [...queues.values()].filter(({ isWorked }) => isWorked);
    counter(METRICS.sent, function* () {
      for (const { names } of added()) for (const name of names.values()) yield* name.sentCounts();
    });
    counter(METRICS.duplicates, () => added().map((queue) => queue.duplicates));
    counter(METRICS.consumed, function* () {
      for (const { names } of worked()) for (const name of names.values()) yield name.consumed;
    });
    counter(METRICS.ended, function* () {
      for (const { names } of worked()) for (const name of names.values()) yield* name.endedCounts();
    });
    for (const which of ['promoted', 'fired', 'evicted', 'leasesLost'] as const) {
      counter(METRICS[which], () => worked().map((queue) => queue[which]));
    }
    counter(METRICS.reconnects, () => [this.#reconnects]);
  }

  async #observeGauges(result: BatchObservableResult, gauges: Gauges): Promise<void> {
    const delay = this.#loop.read();
    if (delay) {
      result.observe(gauges.loopDelayP99, delay.p99);
      result.observe(gauges.loopDelayMax, delay.max);
    }
    const readings = new Map((await this.gauges.read()).map((reading) => [reading.queue, reading]));
    for (const { queue, load } of readings.values()) {
      this.#shown.add(queue);
      if (load) this.#worked.add(queue);
    }
    for (const queue of this.#shown) observeQueue(result, gauges, queue, readings.get(queue));
    for (const queue of this.#worked) observeLoad(result, gauges, queue, readings.get(queue)?.load);
  }
}

function observe(result: ObservableResult, counts: Iterable<Count>): void {
  for (const { value, attributes } of counts) result.observe(value, attributes);
}

/**
 * What is not known is NaN. For a reader with cumulative temporality, as that of Prometheus, the SDK repeats the last value of a
 * gauge that has no value any more, so a queue would look well for as long as Redis is down.
 */
function observeQueue(
  result: BatchObservableResult,
  of: Gauges,
  queue: string,
  reading: QueueReading | undefined,
): void {
  const gauges = reading?.gauges;
  const own = { [ATTRIBUTES.queue]: queue };
  const observeKnown = (gauge: Observable, value: number | undefined, attributes: Attributes = own): void => {
    result.observe(gauge, value ?? NaN, attributes);
  };
  for (const [state, count] of jobsByState(gauges)) {
    observeKnown(of.jobs, count, { ...own, [ATTRIBUTES.state]: state });
  }
  observeKnown(of.oldestWaiting, gauges && gauges.oldestWaitingMs / 1000);
  observeKnown(of.promotionLag, gauges && gauges.overdueMs / 1000);
  observeKnown(of.scheduleLag, gauges && gauges.scheduleLagMs / 1000);
  observeKnown(of.workers, gauges?.workers);
  // NaN if this process has closed the queue, so that it is not taken for an outage.
  observeKnown(of.reachable, reading && Number(gauges !== undefined));
  observeKnown(of.paused, gauges && Number(gauges.isPaused));
}

function observeLoad(
  result: BatchObservableResult,
  of: Gauges,
  queue: string,
  load: QueueReading['load'],
): void {
  const own = { [ATTRIBUTES.queue]: queue };
  result.observe(of.running, load?.running ?? NaN, own);
  result.observe(of.concurrency, load?.concurrency ?? NaN, own);
}

function histogram(
  meter: Meter,
  { name, unit, description, buckets }: Metric & { buckets: readonly number[] },
): Histogram {
  const advice = { explicitBucketBoundaries: [...buckets] };
  return meter.createHistogram(name, { unit, description, advice });
}

function gaugesOf(meter: Meter): Gauges {
  const gauges = Object.entries(METRICS).filter(([, { kind }]) => kind === 'gauge');
  return Object.fromEntries(
    gauges.map(([key, { name, unit, description }]) => [
      key,
      meter.createObservableGauge(name, { unit, description }),
    ]),
  ) as unknown as Gauges;
}
