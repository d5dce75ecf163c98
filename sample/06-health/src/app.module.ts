import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ChasquiModule } from 'nestjs-chasqui';
import { ChasquiHealthIndicator } from 'nestjs-chasqui/health';
import { HealthController } from './health.controller.js';
import { MailProcessor } from './mail.processor.js';
import { Story } from './story.service.js';

@Module({
  imports: [
    // The story prints what the checks answer; without it, terminus writes failed ones to the log.
    TerminusModule.forRoot({ logger: false }),
    ChasquiModule.forRoot({ connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    // In Redis each run has a queue of its own, so that it finds nothing of an earlier one. An app leaves this out.
    ChasquiModule.forFeature({ name: 'mail', queueName: `mail-${Date.now().toString(36)}-${process.pid}` }),
  ],
  controllers: [HealthController],
  providers: [ChasquiHealthIndicator, MailProcessor, Story],
})
export class AppModule {}
