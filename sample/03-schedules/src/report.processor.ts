import { once, EventEmitter } from 'node:events';
import { JobRef, OnJob, Processor, Repeat, type Job } from 'nestjs-chasqui';

/** Declares schedules next to their handlers. Each slot runs once, however many replicas you start. */
@Processor('reports', { schedulerTickMs: 50 })
export class ReportProcessor {
  readonly #polled = new EventEmitter();

  @OnJob('poll')
  @Repeat(250, { data: { source: 'feed' } })
  poll(@JobRef() job: Job<{ source: string }>): void {
    console.log(`poll ${job.data.source}: job ${job.id}`);
    this.#polled.emit('poll');
  }

  @OnJob('digest')
  @Repeat('0 8 * * *', { tz: 'Europe/Madrid', attempts: 5 })
  digest(): void {
    console.log('Good morning. Here is your digest.');
  }

  async polls(count: number): Promise<void> {
    for (let seen = 0; seen < count; seen += 1) await once(this.#polled, 'poll');
  }
}
