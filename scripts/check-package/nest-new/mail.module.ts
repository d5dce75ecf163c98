import { Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import {
  ChasquiModule,
  InjectQueue,
  JobData,
  OnJob,
  Processor,
  Queue,
  UnrecoverableError,
} from 'nestjs-chasqui';

export interface Mail {
  to: string;
}

@Processor('mail')
export class MailProcessor {
  @OnJob('send')
  send(@JobData() mail: Mail): string {
    if (!mail.to.includes('@')) throw new UnrecoverableError('no address');
    return `sent to ${mail.to}`;
  }
}

@Injectable()
export class MailService implements OnApplicationBootstrap {
  constructor(@InjectQueue('mail') private readonly queue: Queue<Mail>) {}

  async send(to: string): Promise<unknown> {
    const job = await this.queue.add('send', { to });
    return job.waitForResult({ timeoutMs: 10_000 });
  }

  /** Not awaited by the application's start: the worker starts with it. */
  onApplicationBootstrap(): void {
    this.send('boot@example.com').then(
      (result) => console.log(`MAIL ${String(result)}`),
      (error: unknown) => console.error('MAIL FAILED', error),
    );
  }
}

@Module({
  imports: [
    ChasquiModule.forRootAsync({
      useFactory: () => ({
        connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
        workerOptions: { storeResults: true },
      }),
    }),
    ChasquiModule.forFeature({ name: 'mail' }),
  ],
  providers: [MailProcessor, MailService],
  exports: [MailService],
})
export class MailModule {}
