import { ChasquiError } from '../engine/index.js';
import { printable } from '../engine/base/printable.js';

/** Codes of the scaler. */
export const SCALER_ERROR_CODES = { queueNotInUse: 'CMQ-330' } as const;

/** An autoscaler asks for a queue that this process does not use. */
export class QueueNotInUseError extends ChasquiError {
  readonly code = SCALER_ERROR_CODES.queueNotInUse;

  constructor(
    readonly queue: string,
    nearest: string | undefined,
  ) {
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    super(
      printable(
        `This process uses no queue "${queue}".${hint} Correct the name, or import ChasquiModule.forFeature for the queue.`,
      ),
    );
  }
}
