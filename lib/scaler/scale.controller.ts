import {
  Controller,
  Get,
  Header,
  Logger,
  NotFoundException,
  Param,
  ServiceUnavailableException,
  UseGuards,
  VERSION_NEUTRAL,
  type CanActivate,
  type Type,
} from '@nestjs/common';
import { ChasquiError, messageOf } from '../engine/index.js';
import { ChasquiScaler } from './chasqui.scaler.js';
import { QueueNotInUseError } from './errors.js';
import type { ScaleReport } from './scale-report.js';

/** The controller for one path, behind these guards. */
export function scaleController(
  path: string,
  guards: readonly (Type<CanActivate> | CanActivate)[],
): Type<object> {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(...guards)
  class ChasquiScaleController {
    readonly #logger = new Logger('ChasquiScaler');
    /** The queues whose last request failed: each outage is logged once. */
    readonly #failing = new Set<string>();

    constructor(private readonly scaler: ChasquiScaler) {}

    @Get(':queue')
    @Header('Cache-Control', 'no-store')
    async report(@Param('queue') name: string): Promise<ScaleReport> {
      try {
        const report = await this.scaler.report(name);
        this.#failing.delete(name);
        return report;
      } catch (error) {
        if (error instanceof QueueNotInUseError) {
          const { code, message } = error;
          throw new NotFoundException({ statusCode: 404, code, message });
        }
        throw this.unavailable(name, error);
      }
    }

    /** The address of Redis is for the log, not for who asks. */
    private unavailable(name: string, error: unknown): ServiceUnavailableException {
      if (!this.#failing.has(name)) this.#logger.warn(`No numbers of queue "${name}": ${messageOf(error)}`);
      this.#failing.add(name);
      const code = error instanceof ChasquiError ? error.code : undefined;
      const message = `The numbers of queue "${name}" cannot be read from Redis. The log of this process says why.`;
      return new ServiceUnavailableException({ statusCode: 503, code, message }, { cause: error });
    }
  }
  return ChasquiScaleController;
}
