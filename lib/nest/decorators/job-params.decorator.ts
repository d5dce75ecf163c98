import type { PipeTransform, Type } from '@nestjs/common';
import { ConfigTypeError } from '../../engine/base/errors.js';
import { PARAMETERS_METADATA } from '../constants.js';

/**
 * What a decorated parameter of a handler receives. Pipes see `data` as the body of a request, so a `ValidationPipe`
 * checks it against the type of the parameter; 3 is Nest's number for a body. The other kinds are not input of the
 * producer: pipes of the class and global pipes see them as custom parameters.
 */
export const JobParam = { data: 3, job: 100, id: 101, attempt: 102, signal: 103 } as const;

type Pipe = Type<PipeTransform> | PipeTransform;

interface ParameterMetadata {
  readonly index: number;
  readonly data: string | undefined;
  readonly pipes: readonly Pipe[];
}

/**
 * Injects the payload of the job, or one property of it, through the given pipes. If a pipe refuses it with a client
 * error, such as a `BadRequestException`, the job becomes a dead letter with the violations in its detail.
 *
 * @example `send(@JobData(ValidationPipe) mail: WelcomeDto, @JobData('to', new ParseEnumPipe(Address)) to: Address)`
 */
export function JobData(property?: string | Pipe, ...pipes: readonly Pipe[]): ParameterDecorator {
  return typeof property === 'string' || property === undefined
    ? parameter(JobParam.data, property, pipes)
    : parameter(JobParam.data, undefined, [property, ...pipes]);
}

/** Injects the `Job` itself. */
export function JobRef(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.job, undefined, pipes);
}

/** Injects the id of the job. */
export function JobId(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.id, undefined, pipes);
}

/** Injects the number of this attempt, from 1. */
export function JobAttempt(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.attempt, undefined, pipes);
}

/**
 * Injects the `AbortSignal` of the job. It is aborted when the handler should stop: the job was cancelled, its lease was
 * lost, or the worker closes and the grace time is over.
 */
export function JobSignal(...pipes: readonly Pipe[]): ParameterDecorator {
  return parameter(JobParam.signal, undefined, pipes);
}

function parameter(kind: number, data: string | undefined, pipes: readonly Pipe[]): ParameterDecorator {
  return (target, method, index) => {
    // Only the parameters of a constructor have no method, and a constructor has no job.
    if (method === undefined) {
      const className = (target as { name?: string }).name ?? 'the class';
      throw new ConfigTypeError(
        `A job parameter decorator is in the constructor of ${className}. Use @Inject(JOB_REF) there.`,
      );
    }
    const inherited = Reflect.getMetadata(PARAMETERS_METADATA, target.constructor, method) as
      Record<string, ParameterMetadata> | undefined;
    // An overriding method inherits the parameters of the overridden one. This parameter replaces the inherited one.
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
