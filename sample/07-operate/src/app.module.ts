import { randomUUID } from 'node:crypto';
import { Module } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { AdminController } from './admin.controller.js';
import { ADMIN_TOKEN } from './admin.guard.js';
import { MailProcessor } from './mail.processor.js';
import { Story } from './story.service.js';

@Module({
  imports: [
    ChasquiModule.forRoot({ connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    ChasquiModule.forFeature({
      name: 'mail',
      // Each run uses its own queue in Redis, so that it finds no jobs of an earlier run. Your app does not need this.
      queueName: `mail-${Date.now().toString(36)}-${process.pid}`,
      // Keeps the last completed jobs, so that the admin can look at them.
      trackJobs: { completed: { count: 100, ageMs: 86_400_000 } },
    }),
  ],
  controllers: [AdminController],
  providers: [
    // Without ADMIN_TOKEN, nobody knows the token but this process.
    { provide: ADMIN_TOKEN, useFactory: () => process.env['ADMIN_TOKEN'] ?? randomUUID() },
    MailProcessor,
    Story,
  ],
})
export class AppModule {}
