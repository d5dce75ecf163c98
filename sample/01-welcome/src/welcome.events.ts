import { once, EventEmitter } from 'node:events';
import {
  OnQueueEvent,
  QueueEventsListener,
  type CompletedEvent,
  type DlqEvent,
  type FailedEvent,
  type RetryScheduledEvent,
} from 'nestjs-chasqui';
import { Narrator } from './narrator.service.js';

export type Ending = 'completed' | 'dead';

/** Listens to the events of the queue "welcome" from all processes. */
@QueueEventsListener('welcome')
export class WelcomeEvents {
  readonly #endings = new EventEmitter();
  readonly #ended = new Map<string, Ending>();

  constructor(private readonly narrator: Narrator) {}

  @OnQueueEvent('failed')
  onFailed({ attempt, failedReason }: FailedEvent): void {
    this.narrator.say(`Attempt ${attempt} failed: ${failedReason}.`);
  }

  @OnQueueEvent('retry-scheduled')
  onRetryScheduled({ attempt, backoffMs }: RetryScheduledEvent): void {
    this.narrator.say(`Attempt ${attempt} follows in ${backoffMs} ms.`);
  }

  @OnQueueEvent('completed')
  onCompleted({ jobId, attempt }: CompletedEvent): void {
    this.narrator.say(`Attempt ${attempt} succeeded: the mail is delivered, and the job is done.`);
    this.end(jobId, 'completed');
  }

  @OnQueueEvent('dlq')
  onDeadLetter({ jobId, reason }: DlqEvent): void {
    this.narrator.say(`No more attempts (${reason}): the job is a dead letter.`);
    this.end(jobId, 'dead');
  }

  /** Resolves with the end of a job, which may be in the past. Each end is reported once. */
  async endingOf(jobId: string): Promise<Ending> {
    if (!this.#ended.has(jobId)) await once(this.#endings, jobId);
    const ending = this.#ended.get(jobId) ?? 'dead';
    this.#ended.delete(jobId);
    return ending;
  }

  private end(jobId: string, ending: Ending): void {
    this.#ended.set(jobId, ending);
    this.#endings.emit(jobId);
  }
}
