import { Module } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { ReportProcessor } from './report.processor.js';

@Module({
  imports: [
    ChasquiModule.forRoot({ connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    // In Redis each run has a queue of its own, so that it finds nothing of an earlier one. An app leaves this out.
    ChasquiModule.forFeature({
      name: 'reports',
      queueName: `reports-${Date.now().toString(36)}-${process.pid}`,
    }),
  ],
  providers: [ReportProcessor],
})
export class AppModule {}
