import { Interrupted } from './errors.js';

const EXIT_OF = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Turns Ctrl-C into an abort. The second one ends the process at once. */
export function interruptSignal(): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const listeners = Object.entries(EXIT_OF).map(([name, exitCode]) => {
    const listener = (): void => {
      if (controller.signal.aborted) process.exit(exitCode);
      controller.abort(new Interrupted(exitCode));
    };
    process.on(name as NodeJS.Signals, listener);
    return () => process.off(name, listener);
  });
  return {
    signal: controller.signal,
    stop: () => {
      for (const stop of listeners) stop();
    },
  };
}

/** The exit code of a command that runs until Ctrl-C, or until another signal. Undefined if there was none. */
export function exitCodeOf(signal: AbortSignal): number | undefined {
  return signal.reason instanceof Interrupted ? signal.reason.exitCode : undefined;
}
