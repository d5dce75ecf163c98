// Compiled and run by scripts/check-package.mjs in a bare app that has the packed package installed.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import {
  ChasquiModule,
  getQueueToken,
  InjectQueue,
  type Job,
  JobData,
  OnJob,
  OnWorkerEvent,
  Processor,
  Queue,
} from 'nestjs-chasqui';
import { ChasquiHealthIndicator } from 'nestjs-chasqui/health';

interface Mail {
  to: string;
}

const QUEUE = 'welcome';

let tellCompleted: (id: string) => void;
const completed = new Promise<string>((resolve) => (tellCompleted = resolve));

@Processor(QUEUE)
class WelcomeProcessor {
  @OnJob('send')
  send(@JobData() mail: Mail): string {
    return `sent to ${mail.to}`;
  }

  @OnWorkerEvent('completed')
  onCompleted(job: Job): void {
    tellCompleted(job.id);
  }
}

@Injectable()
class SignupService {
  constructor(@InjectQueue(QUEUE) private readonly welcome: Queue<Mail>) {}

  async signUp(to: string): Promise<string> {
    const job = await this.welcome.add('send', { to });
    return job.id;
  }
}

@Module({
  imports: [
    TerminusModule,
    ChasquiModule.forRoot({ connection: { host: '127.0.0.1', port: Number(process.env['REDIS_PORT']) } }),
    ChasquiModule.forFeature({ name: QUEUE }),
  ],
  providers: [WelcomeProcessor, SignupService, ChasquiHealthIndicator],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const added = await app.get(SignupService).signUp('ada@example.com');
  const ran = await completed;
  if (ran !== added) throw new Error(`job ${ran} was completed, not ${added}`);
  if (app.get<Queue<Mail>>(getQueueToken(QUEUE)).name !== QUEUE)
    throw new Error('another queue than the one named');
  const indicator = app.get(ChasquiHealthIndicator);
  const { status } = await app
    .get(HealthCheckService, { strict: false })
    .check([
      () => indicator.checkConnection('redis'),
      () => indicator.checkWorkers('workers', { requireRunning: true }),
      () => indicator.checkBacklog('backlog', { maxDeadLetters: 0 }),
    ]);
  if (status !== 'ok') throw new Error(`health is ${status}`);
  // The process has to end by itself after this.
  await app.close();
  console.log(`completed ${ran}`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
