import { EventEmitter, once } from 'node:events';
import { JobData, OnJob, OnWorkerEvent, Processor, Repeat, UnrecoverableError } from 'nestjs-chasqui';

/** Sends mail. An address that is unknown fails for good, and a busy server fails an attempt. */
@Processor('mail', { maxAttempts: 1, schedulerTickMs: 50 })
export class MailProcessor {
  readonly #ends = new EventEmitter();
  #ended = 0;
  isServerBusy = true;

  @OnJob('send')
  send(@JobData('to') to: string): { sent: string } {
    if (to.startsWith('nobody')) throw new UnrecoverableError(`${to} is unknown`);
    if (to.startsWith('busy') && this.isServerBusy) throw new Error('the server is busy');
    return { sent: to };
  }

  @OnJob('digest')
  @Repeat('0 8 * * *', { tz: 'Europe/Madrid' })
  digest(): string {
    return 'Good morning.';
  }

  @OnWorkerEvent('completed')
  @OnWorkerEvent('failed')
  onEnd(): void {
    this.#ended += 1;
    this.#ends.emit('end');
  }

  /** Resolves when so many jobs have ended since the application started. */
  async ended(count: number): Promise<void> {
    while (this.#ended < count) await once(this.#ends, 'end');
  }
}
