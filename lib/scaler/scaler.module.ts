import { Module, type CanActivate, type DynamicModule, type ModuleMetadata, type Type } from '@nestjs/common';
import { checkOptions, type Schema } from '../engine/config/check-options.js';
import { limitMs, text, type Check } from '../engine/config/checks.js';
import { checkHttpPath } from '../nest/http-path.js';
import { ChasquiScaler, SCALER_TIMEOUT_MS } from './chasqui.scaler.js';
import { scaleController } from './scale.controller.js';

/** What `ChasquiScalerModule.forRoot` takes. */
export interface ChasquiScalerOptions {
  /** Where the endpoint is: `GET /<path>/<queue>`. A global prefix of the application comes first. Default `chasqui/scale`. */
  path?: string;
  /**
   * Guards of the endpoint: classes, or instances. Default: none, so who reaches the port can read how many jobs a queue has.
   * Global guards of the application run, too.
   */
  guards?: readonly (Type<CanActivate> | CanActivate)[];
  /** Modules with the providers that the guards need. Default: none. */
  imports?: NonNullable<ModuleMetadata['imports']>;
  /** How long to wait for Redis, in ms; after that, the endpoint answers 503. Default 1,000. KEDA waits for 3 s. */
  timeoutMs?: number;
}

const list: Check = (value) => (Array.isArray(value) ? undefined : 'must be an array');

const guardList: Check = (value) =>
  Array.isArray(value) && value.every((guard) => typeof guard === 'function' || isGuard(guard))
    ? undefined
    : 'must be an array of guards: classes, or objects with canActivate';

const schema: Schema<ChasquiScalerOptions> = {
  path: text,
  guards: guardList,
  imports: list,
  timeoutMs: limitMs(1),
};

/**
 * Adds an endpoint for autoscalers such as KEDA: `GET /chasqui/scale/<queue>` answers with a `ScaleReport`. Import it in an
 * application that always runs and that registers the queues, usually the API.
 *
 * - 200: the numbers of the whole queue, read from Redis in one call
 * - 404 with `code` CMQ-330: this application does not use that queue
 * - 503 with `code` CMQ-001: Redis did not answer in time
 *
 * @example
 * ```ts
 * ChasquiScalerModule.forRoot({ guards: [TokenGuard] })
 * ```
 */
@Module({})
export class ChasquiScalerModule {
  /** @throws ConfigError (CMQ-004) for a wrong option */
  static forRoot(options: ChasquiScalerOptions = {}): DynamicModule {
    const checked = checkOptions('ChasquiScalerModule.forRoot', schema, options);
    const { path = 'chasqui/scale', guards = [], imports = [], timeoutMs = 1_000 } = checked;
    return {
      module: ChasquiScalerModule,
      imports,
      controllers: [scaleController(checkHttpPath('ChasquiScalerModule', path, 'chasqui/scale'), guards)],
      providers: [ChasquiScaler, { provide: SCALER_TIMEOUT_MS, useValue: timeoutMs }],
      exports: [ChasquiScaler],
    };
  }
}

function isGuard(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'canActivate' in value;
}
