import { once, EventEmitter } from 'node:events';
import {
  InjectQueue,
  OnQueueEvent,
  QueueEventsListener,
  type CompletedEvent,
  type DlqEvent,
  type Queue,
} from 'nestjs-chasqui';

const MAILS = [
  { to: 'ada@example.com', subject: 'Welcome', tenant: 'acme' },
  { to: 'nobody@example.com', subject: 'Welcome', tenant: 'acme' },
  { to: 'ada', subject: '', tenant: 'acme' },
  { to: 'ada@example.com', subject: 'Welcome', tenant: 'gone' },
];

/** Adds valid and invalid jobs, and prints how they end. */
@QueueEventsListener('mail')
export class MailRunner {
  readonly #ended = new EventEmitter();
  #open = MAILS.length;

  constructor(@InjectQueue('mail') private readonly mail: Queue) {}

  @OnQueueEvent('completed')
  onCompleted({ jobId }: CompletedEvent): void {
    this.end(`${jobId}: completed`);
  }

  @OnQueueEvent('dlq')
  onDeadLetter({ jobId, reason }: DlqEvent): void {
    this.end(`${jobId}: ${reason}`);
  }

  async run(): Promise<void> {
    console.log(
      'Four mails are added: a good one, one to a mailbox that is unknown, which a filter turns into a result,',
    );
    console.log(
      'one that is no mail, which a pipe refuses, and one of a tenant that has left, which a guard refuses.',
    );
    const allEnded = once(this.#ended, 'all');
    await this.mail.addBulk(MAILS.map((data) => ({ name: 'send', data })));
    await allEnded;
    console.log('Refused jobs are not retried.');
    console.log('The dead letters:');
    for (const { data, detail } of await this.mail.peekDlq()) {
      console.log(`  ${JSON.stringify(data)}\n    ${detail}`);
    }
  }

  private end(text: string): void {
    console.log(text);
    this.#open -= 1;
    if (this.#open === 0) this.#ended.emit('all');
  }
}
