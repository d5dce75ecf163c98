// A program of its own in the generated application: what each kind of enhancer does with a job, and what is healthy.
import 'reflect-metadata';
import {
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  Module,
  type NestInterceptor,
  UseFilters,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { IsEmail } from 'class-validator';
import {
  ChasquiModule,
  getQueueToken,
  InjectQueue,
  type Job,
  JobData,
  JobExecutionContext,
  OnJob,
  OnWorkerEvent,
  Processor,
  Queue,
} from 'nestjs-chasqui';
import { ChasquiHealthIndicator } from 'nestjs-chasqui/health';
import { map, type Observable } from 'rxjs';

class MailDto {
  @IsEmail()
  to!: string;
}

// The applications share a server.
const QUEUE = `welcome-${process.pid}`;
const MAILS = ['ada@example.com', 'nobody@example.com', 'no address', 'guarded@example.com'];

/** What became of each mail, in words. */
const outcomes = new Map<string, string>();
let tellAll: () => void;
const all = new Promise<void>((resolve) => (tellAll = resolve));

function tell(kind: string, job: Job<MailDto>, text: string): void {
  outcomes.set(job.data.to, `${kind} ${job.data.to}: ${text}`);
  if (outcomes.size === MAILS.length) tellAll();
}

class NobodyError extends Error {}

@Catch(NobodyError)
class NobodyFilter implements ExceptionFilter {
  catch(error: NobodyError): string {
    return `filtered: ${error.message}`;
  }
}

@Injectable()
class MailGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { data } = JobExecutionContext.create(context).getJob();
    return !(data as MailDto).to.startsWith('guarded');
  }
}

@Injectable()
class MailInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> {
    return next.handle().pipe(map((result) => `intercepted: ${String(result)}`));
  }
}

@Processor(QUEUE)
@UseGuards(MailGuard)
@UseInterceptors(MailInterceptor)
@UseFilters(NobodyFilter)
class WelcomeProcessor {
  @OnJob('send')
  send(@JobData(new ValidationPipe()) mail: MailDto): string {
    if (mail.to.startsWith('nobody')) throw new NobodyError(mail.to);
    return `sent to ${mail.to}`;
  }

  @OnWorkerEvent('completed')
  onCompleted(job: Job<MailDto>, result: unknown): void {
    tell('completed', job, String(result));
  }

  @OnWorkerEvent('failed')
  onFailed(job: Job<MailDto>, error: Error): void {
    tell('dead', job, error.message);
  }
}

@Injectable()
class SignupService {
  constructor(@InjectQueue(QUEUE) private readonly welcome: Queue<MailDto>) {}

  async signUp(to: string): Promise<void> {
    await this.welcome.add('send', { to });
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
  for (const mail of MAILS) await app.get(SignupService).signUp(mail);
  await all;
  for (const outcome of outcomes.values()) console.log(outcome);
  const queue = app.get<Queue<MailDto>>(getQueueToken(QUEUE));
  for (const { data, reason, detail } of await queue.peekDlq()) {
    console.log(`dead ${(data as MailDto).to}: ${reason}: ${detail ?? ''}`);
  }
  const indicator = app.get(ChasquiHealthIndicator);
  const { status } = await app
    .get(HealthCheckService, { strict: false })
    .check([
      () => indicator.checkConnection('redis'),
      () => indicator.checkWorkers('workers', { requireRunning: true }),
      () => indicator.checkBacklog('backlog', { maxDeadLetters: 2 }),
    ]);
  if (status !== 'ok') throw new Error(`health is ${status}`);
  // The process has to end by itself after this.
  await app.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
