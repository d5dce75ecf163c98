import { Module } from '@nestjs/common';
import { ChasquiModule } from 'nestjs-chasqui';
import { ChasquiTelemetry } from 'nestjs-chasqui/opentelemetry';
import { ChasquiScalerModule } from 'nestjs-chasqui/scaler';
import { ImageProcessor } from './image.processor.js';
import { JobsController } from './jobs.controller.js';
import { Load } from './load.service.js';
import { MailProcessor } from './mail.processor.js';
import { MetricsController } from './metrics.controller.js';
import { Story } from './story.service.js';

@Module({
  imports: [
    ChasquiModule.forRoot({
      connection: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
      // It measures into the provider that telemetry.ts has registered.
      telemetry: new ChasquiTelemetry(),
    }),
    ChasquiModule.forFeature('mail', 'images'),
    // GET /chasqui/scale/mail. Put a guard before it if others can reach the port.
    ChasquiScalerModule.forRoot(),
  ],
  controllers: [JobsController, MetricsController],
  providers: [MailProcessor, ImageProcessor, Load, Story],
})
export class AppModule {}
