import { ValidationPipe, type PipeTransform } from '@nestjs/common';
import { JobParam } from '../decorators/job-params.decorator.js';
import { InvalidDecoratorError } from '../errors.js';
import type { SourceLocation } from '../source-location.js';
import type { PreparedParameter } from './parameters.js';

/**
 * The compiler does not keep the type of the elements of an array. A `ValidationPipe` that does not know it would let every
 * payload of a batch pass.
 * @param pipes of the class, the method and the application
 * @throws InvalidDecoratorError (CMQ-308); also for pipes of `@JobSignal`, which do not run
 */
export function assertElementTypes(
  parameters: readonly PreparedParameter[],
  pipes: readonly PipeTransform[],
  location: SourceLocation,
): void {
  for (const { index, type, data, pipes: own } of parameters) {
    const at = `parameter ${String(index + 1)}`;
    if (type === JobParam.signal && own.length > 0) {
      throw new InvalidDecoratorError(
        '@JobSignal',
        location,
        `${at} has a pipe. A batch has one signal, and pipes run for each job: remove the pipe.`,
      );
    }
    // A property is often a plain value, which no pipe of the class validates.
    const validating = type === JobParam.data ? [...own, ...(data === undefined ? pipes : [])] : [];
    if (!validating.some(isBlind)) continue;
    throw new InvalidDecoratorError(
      '@OnJob',
      location,
      `with "batches", the ValidationPipe of ${at} cannot know the type of one payload, and would validate nothing. Use @JobData(new ValidationPipe({ expectedType: YourDto })).`,
    );
  }
}

function isBlind(pipe: PipeTransform): boolean {
  // Nest keeps this option in a protected property.
  return (
    pipe instanceof ValidationPipe &&
    (pipe as unknown as { expectedType?: unknown }).expectedType === undefined
  );
}
