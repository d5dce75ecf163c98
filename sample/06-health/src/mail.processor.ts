import { once, EventEmitter } from 'node:events';
import { JobData, OnJob, OnWorkerEvent, Processor, UnrecoverableError } from 'nestjs-chasqui';

/** Sends mail if the mail server knows the address. */
@Processor('mail')
export class MailProcessor {
  readonly #ended = new EventEmitter();
  readonly #known = new Set<string>();

  @OnJob('send')
  send(@JobData('to') to: string): { sent: string } {
    if (!this.#known.has(to)) throw new UnrecoverableError(`${to} is unknown`);
    return { sent: to };
  }

  learn(address: string): void {
    this.#known.add(address);
  }

  @OnWorkerEvent('completed')
  onCompleted(): void {
    this.#ended.emit('job');
  }

  @OnWorkerEvent('failed')
  onFailed(): void {
    this.#ended.emit('job');
  }

  /** Resolves when the next job has completed or failed. Call it before you add the job. */
  async nextEnd(): Promise<void> {
    await once(this.#ended, 'job');
  }
}
