import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ChasquiModule } from 'nestjs-chasqui';
import { ChasquiHealthIndicator } from 'nestjs-chasqui/health';
import { HealthController } from './health.controller.js';
import { MailProcessor } from './mail.processor.js';
import { Story } from './story.service.js';

@Module({
  imports: [
    // The story prints the results of the checks, so terminus does not log failed ones.
    TerminusModule.forRoot({ logger: false }),
    ChasquiModule.forRoot({ connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    // Each run uses its own queue in Redis, so that it finds no jobs of an earlier run. Your app does not need this.
    ChasquiModule.forFeature({ name: 'mail', queueName: `mail-${Date.now().toString(36)}-${process.pid}` }),
  ],
  controllers: [HealthController],
  providers: [ChasquiHealthIndicator, MailProcessor, Story],
})
export class AppModule {}
