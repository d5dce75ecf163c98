import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Req, Res } from '@nestjs/common';
import { exporter } from './telemetry.js';

/** What Prometheus scrapes. In your application, do not expose it to the internet. */
@Controller('metrics')
export class MetricsController {
  @Get()
  metrics(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    exporter.getMetricsRequestHandler(request, response);
  }
}
