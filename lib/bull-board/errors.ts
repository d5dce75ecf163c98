import { WiringError } from '../nest/errors.js';

/** Codes of the board. They stop the boot. */
export const BOARD_ERROR_CODES = {
  unguarded: 'CMQ-325',
} as const;

/** A board without a guard would let everybody read and change the jobs. */
export class UnguardedBoardError extends WiringError {
  readonly code = BOARD_ERROR_CODES.unguarded;

  constructor(readonly path: string) {
    super(
      `ChasquiBoardModule at "/${path}" has no guard, and NODE_ENV is "production": everybody who reaches the application could read ` +
        'and change its jobs. Set guard to a guard class or an instance. If something else protects the board, such as an APP_GUARD, ' +
        'set guard: false.',
    );
  }
}
