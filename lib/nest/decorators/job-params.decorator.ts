import type { PipeTransform, Type } from '@nestjs/common';
import { ConfigTypeError } from '../../engine/base/errors.js';
import { PARAMETERS_METADATA } from '../constants.js';

/**
 * What a decorated parameter of a handler receives. To pipes, `data` is what a request's body is, so that a
 * `ValidationPipe` checks it against the parameter's type; Nest knows a body by this number. To the others, which are
 * not the producer's input, a pipe that is bound to the class or globally sees a custom parameter.
 */
export const JobParam = { data: 3, job: 100, id: 101, attempt: 102, signal: 103 } as const;

type Pipe = Type<PipeTransform> | PipeTransform;

interface ParameterMetadata {
  readonly index: number;
  readonly data: string | undefined;
  readonly pipes: readonly Pipe[];
}

/**
 * The job's payload, or one property of it, through the given pipes. A pipe that refuses it (`BadRequestException` and
 * its like) sends the job to the dead letters, with the violations in the detail.
 *
 * @example `send(@JobData(ValidationPipe) mail: WelcomeDto, @JobData('to', new ParseEnumPipe(Address)) to: Address)`
 */
export function JobData(property?: string | Pipe, ...pipes: readonly Pipe[]): ParameterDecorator {
  return typeof property === 'string' || property === undefined
    ? parameter(JobParam.data, property, pipes)
    : parameter(JobParam.data, undefined, [property, ...pipes]);
}

/** The `Job` itself. */
export function JobRef(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.job, undefined, pipes);
}

/** The job's id. */
export function JobId(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.id, undefined, pipes);
}

/** Which attempt this is, from 1. */
export function JobAttempt(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.attempt, undefined, pipes);
}

/** Aborted when the attempt should stop: its lease was lost, or the worker is closed by force. */
export function JobSignal(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.signal, undefined, pipes);
}

function parameter(kind: number, data: string | undefined, pipes: readonly Pipe[]): ParameterDecorator {
  return (target, method, index) => {
    // Only the parameters of a constructor have no method, and there is nothing of a job in a constructor.
    if (method === undefined) {
      const className = (target as { name?: string }).name ?? 'the class';
      throw new ConfigTypeError(
        `A job parameter decorator stands in the constructor of ${className}; use @Inject(JOB_REF).`,
      );
    }
    const inherited = Reflect.getMetadata(PARAMETERS_METADATA, target.constructor, method) as
      Record<string, ParameterMetadata> | undefined;
    // A method that overrides another begins with the parameters of that one; this is a new one in its place.
    const others = Object.entries(inherited ?? {}).filter(([, other]) => other.index !== index);
    const metadata: ParameterMetadata = { index, data, pipes };
    Reflect.defineMetadata(
      PARAMETERS_METADATA,
      Object.fromEntries([...others, [`${String(kind)}:${String(index)}`, metadata]]),
      target.constructor,
      method,
    );
  };
}
