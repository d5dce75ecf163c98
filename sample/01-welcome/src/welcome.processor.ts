import { Job, JobData, JobRef, OnJob, Processor } from 'nestjs-chasqui';
import { Mailer } from './mailer.service.js';
import { Narrator } from './narrator.service.js';

export interface WelcomeMail {
  to: string;
}

/**
 * Handles the jobs of the queue "welcome". If a handler returns, the job completes. If it throws, the attempt fails.
 */
@Processor('welcome')
export class WelcomeProcessor {
  constructor(
    private readonly mailer: Mailer,
    private readonly narrator: Narrator,
  ) {}

  @OnJob('send')
  send(@JobData() mail: WelcomeMail, @JobRef() job: Job): { delivered: true } {
    this.narrator.call(job);
    return this.mailer.deliver(mail.to);
  }
}
