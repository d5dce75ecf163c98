import { Module } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { ReportProcessor } from './report.processor.js';

@Module({
  imports: [
    ChasquiModule.forRoot({ connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    // Each run uses its own queue in Redis, so that it finds no jobs of an earlier run. Your app does not need this.
    ChasquiModule.forFeature({
      name: 'reports',
      queueName: `reports-${Date.now().toString(36)}-${process.pid}`,
    }),
  ],
  providers: [ReportProcessor],
})
export class AppModule {}
