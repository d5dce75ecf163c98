import { Injectable } from '@nestjs/common';
import { InjectQueue, type Queue } from 'nestjs-chasqui';
import { Mailer } from './mailer.service.js';
import { Narrator } from './narrator.service.js';
import { SignupService } from './signup.service.js';
import { WelcomeEvents, type Ending } from './welcome.events.js';

const POISON = 'poison@example.com';

/** The tutorial: a job that is retried, then a job that cannot succeed until its cause is fixed. */
@Injectable()
export class Story {
  constructor(
    @InjectQueue('welcome') private readonly welcome: Queue,
    private readonly signups: SignupService,
    private readonly events: WelcomeEvents,
    private readonly mailer: Mailer,
    private readonly narrator: Narrator,
  ) {}

  async tell(): Promise<void> {
    this.narrator.title('A NestJS app with one queue, "welcome", whose jobs send mail. Times are UTC.');

    this.narrator.title('1. A job fails twice and is retried');
    this.narrator.say('Ada signs up. A job is added that sends her a welcome mail: 5 attempts at most.');
    const ada = await this.signups.signUp('ada@example.com');
    await this.expect(ada.id, 'completed');

    this.narrator.title('2. A job that cannot succeed becomes a dead letter');
    this.narrator.say(`A user signs up as ${POISON}, an address that the mail server blocks.`);
    const poison = await this.signups.signUp(POISON);
    await this.expect(poison.id, 'dead');
    await this.showDeadLetters();

    this.narrator.title('3. The cause is fixed, and the dead letters are replayed');
    this.narrator.say(`The operator of the mail server unblocks ${POISON}.`);
    this.mailer.unblock(POISON);
    this.narrator.stopCounting();
    this.narrator.say(
      'The dead letters are replayed: their jobs go back to the queue, with all their attempts.',
    );
    await this.welcome.replayDlq();
    await this.expect(poison.id, 'completed');
    await this.showDeadLetters();
  }

  /** Waits for the event that ends the job. */
  private async expect(jobId: string, expected: Ending): Promise<void> {
    const ending = await this.events.endingOf(jobId);
    if (ending !== expected)
      throw new Error(`Job ${jobId} should have ended as ${expected}; it is ${ending}.`);
  }

  private async showDeadLetters(): Promise<void> {
    const letters = await this.welcome.peekDlq();
    if (letters.length === 0) {
      this.narrator.say('The dead letters of the queue: none.');
      return;
    }
    this.narrator.say('The dead letters of the queue:');
    for (const { jobId, name, reason, detail, data } of letters) {
      this.narrator.detail(`job ${jobId} "${name}": ${reason} (${detail}), payload ${JSON.stringify(data)}`);
    }
  }
}
