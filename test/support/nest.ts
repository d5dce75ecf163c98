import type { LoggerService } from '@nestjs/common';

/** Worker options that retry at once: tests check that retries happen, not how long they wait. */
export const FAST = { retry: { initialBackoffMs: 1, maxBackoffMs: 1, jitterMs: 0 } };

export const SILENT: LoggerService = { log: () => {}, warn: () => {}, error: () => {} };

/** A logger that keeps warnings, errors, and what the module itself logs. */
export function collector(lines: string[]): LoggerService {
  const write = (message: unknown): void => {
    lines.push(String(message));
  };
  const ours = (message: unknown, context: unknown): void => {
    if (context === 'Chasqui') write(message);
  };
  return { log: ours, warn: write, error: write, debug: () => {}, verbose: () => {} };
}
