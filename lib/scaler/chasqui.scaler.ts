import { Inject, Injectable, Optional } from '@nestjs/common';
import { checkText } from '../engine/config/check-arguments.js';
import { nearestKey } from '../engine/config/nearest-key.js';
import { ConnectionError } from '../engine/index.js';
import { backlogWithin } from '../nest/runtime/backlog-within.js';
import { ChasquiWorkers } from '../nest/runtime/chasqui.workers.js';
import { QueueRegistry } from '../nest/runtime/queue.registry.js';
import { queuesInUse } from '../nest/runtime/queues-in-use.js';
import { unreachable } from '../nest/runtime/unreachable.js';
import { NoAnswerError } from '../nest/runtime/within.js';
import { QueueNotInUseError } from './errors.js';
import { scaleReport, type ScaleReport } from './scale-report.js';

/** Injection token of how long to wait for Redis, in ms. */
export const SCALER_TIMEOUT_MS = Symbol('chasqui:scaler-timeout-ms');

/** Reads what an autoscaler has to know. `ChasquiScalerModule` provides it and exports it, for endpoints of your own. */
@Injectable()
export class ChasquiScaler {
  constructor(
    @Inject(SCALER_TIMEOUT_MS) private readonly timeoutMs: number,
    // An application with only a ChasquiServer or a ChasquiClient needs no ChasquiModule.
    @Optional() private readonly registry?: QueueRegistry,
    @Optional() private readonly workers?: ChasquiWorkers,
  ) {}

  /**
   * Reads the numbers of one queue from Redis, in one call. They are those of the whole queue, not of this process.
   * @param name the name that the code of this process uses
   * @throws ConfigTypeError (CMQ-004) unless the name is text; QueueNotInUseError (CMQ-330); ConnectionError (CMQ-001), at the latest after the timeout
   */
  async report(name: string): Promise<ScaleReport> {
    if (typeof (name as unknown) !== 'string') checkText('queue name', name);
    const all = queuesInUse(this.registry, this.workers);
    const found = all.find((queue) => queue.name === name);
    if (!found) {
      const names = all.map((queue) => queue.name);
      throw new QueueNotInUseError(name, nearestKey(name, names));
    }
    const { queue, group, connection } = found;
    try {
      return scaleReport(name, await backlogWithin(queue, group, this.timeoutMs));
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      throw new ConnectionError(unreachable(connection, queue, error), { cause: error });
    }
  }
}
