import { Module } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { Mailer } from './mailer.service.js';
import { Narrator } from './narrator.service.js';
import { SignupService } from './signup.service.js';
import { Story } from './story.service.js';
import { WelcomeEvents } from './welcome.events.js';
import { WelcomeProcessor } from './welcome.processor.js';

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

@Module({
  imports: [
    ChasquiModule.forRoot({ connection: url }),
    ChasquiModule.forFeature({
      name: 'welcome',
      // Each run uses its own queue in Redis, so that it finds no jobs of an earlier run. Your app does not need this.
      queueName: `welcome-${Date.now().toString(36)}-${process.pid}`,
      defaultJobOptions: { attempts: 5, backoff: { type: 'exponential', delay: 100, jitterMs: 10 } },
    }),
  ],
  providers: [WelcomeProcessor, WelcomeEvents, SignupService, Mailer, Story, Narrator],
})
export class AppModule {}
