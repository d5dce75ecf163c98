import { JobAttempt, JobData, OnJob, Processor, Repeat, UnrecoverableError } from 'nestjs-chasqui';

/** Sends mail. A busy server fails the first attempt. An unknown address fails for good, so the job is a dead letter. */
@Processor('mail', { retry: { initialBackoffMs: 200 } })
export class MailProcessor {
  @OnJob('send')
  send(@JobData('to') to: string, @JobAttempt() attempt: number): { sent: string } {
    if (to.startsWith('nobody@')) throw new UnrecoverableError(`${to} is unknown`);
    if (to.startsWith('busy@') && attempt === 1) throw new Error('the mail server is busy');
    return { sent: to };
  }

  @OnJob('digest')
  @Repeat(1_000)
  digest(): string {
    return 'Good morning.';
  }
}
