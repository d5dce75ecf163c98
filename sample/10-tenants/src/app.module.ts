import { Module } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { LimitedReports, FairReports, Reports } from './reports.processor.js';
import { Story } from './story.service.js';

// Each run uses its own queues in Redis, so that it finds no jobs of an earlier run. Your app does not need this.
const run = `${Date.now().toString(36)}-${process.pid}`;

@Module({
  imports: [
    ChasquiModule.forRoot({ connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    ChasquiModule.forFeature(
      { name: 'reports', queueName: `reports-${run}` },
      { name: 'fair-reports', queueName: `fair-reports-${run}` },
      { name: 'limited-reports', queueName: `limited-reports-${run}` },
    ),
  ],
  providers: [Reports, FairReports, LimitedReports, Story],
})
export class AppModule {}
