import { Module } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { MailProcessor } from './mail.processor.js';
import { MailRunner } from './mail.runner.js';

@Module({
  imports: [
    ChasquiModule.forRoot({ connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    // Each run uses its own queue in Redis, so that it finds no jobs of an earlier run. Your app does not need this.
    ChasquiModule.forFeature({ name: 'mail', queueName: `mail-${Date.now().toString(36)}-${process.pid}` }),
  ],
  providers: [MailProcessor, MailRunner],
})
export class AppModule {}
