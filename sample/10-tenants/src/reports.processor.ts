import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobRef, OnJob, Processor, type Job } from 'nestjs-chasqui';

export interface Report {
  tenant: string;
  /** How long it takes to write, in ms. */
  ms: number;
}

/** Writes reports, and measures for how long each job waited. */
abstract class ReportWriter {
  readonly #ends = new EventEmitter();
  /** In ms, by tenant. */
  readonly waited = new Map<string, number[]>();
  #ended = 0;

  protected async write({ data, timestamp, processedOn = Date.now() }: Job<Report>): Promise<void> {
    const waited = this.waited.get(data.tenant) ?? [];
    waited.push(processedOn - timestamp);
    this.waited.set(data.tenant, waited);
    await sleep(data.ms);
    this.#ended += 1;
    this.#ends.emit('end');
  }

  /** Resolves when so many reports are written. Rejects after 20 seconds, so that the sample always ends. */
  async written(count: number): Promise<void> {
    const signal = AbortSignal.timeout(20_000);
    while (this.#ended < count) await once(this.#ends, 'end', { signal });
  }
}

@Processor('reports', { concurrency: 4 })
export class Reports extends ReportWriter {
  @OnJob('write')
  run(@JobRef() job: Job<Report>): Promise<void> {
    return this.write(job);
  }
}

@Processor('fair-reports', { concurrency: 4 })
export class FairReports extends ReportWriter {
  @OnJob('write')
  run(@JobRef() job: Job<Report>): Promise<void> {
    return this.write(job);
  }
}

/** No tenant has more than one report written at a time. */
@Processor('limited-reports', { concurrency: 4, group: { concurrency: 1 } })
export class LimitedReports extends ReportWriter {
  @OnJob('write')
  run(@JobRef() job: Job<Report>): Promise<void> {
    return this.write(job);
  }
}
