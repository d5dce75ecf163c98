import { ShutdownError } from './errors.js';

/** Reports why a call failed that nobody waits for: not that its connection was closed meanwhile, as the caller was closing. */
export function unlessShutdown(onError: (error: unknown) => void): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof ShutdownError)) onError(error);
  };
}
