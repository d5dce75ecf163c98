import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { isPromise } from './results.js';

/** A decorated parameter, as Nest has prepared it. */
export interface PreparedParameter {
  readonly index: number;
  /** A number if the decorator names a kind of value; a string if the decorator has its own function. */
  readonly type: unknown;
  readonly data?: unknown;
  readonly metatype?: unknown;
  readonly schema?: unknown;
  readonly pipes: readonly PipeTransform[];
  readonly extractValue: (...args: unknown[]) => unknown;
}

/** Writes the values of the decorated parameters into `values`. It returns a promise if a pipe is asynchronous. */
export type FillParameters = (values: unknown[], ...args: unknown[]) => unknown;

/**
 * Fills the usual parameters without the promises that Nest creates for each of them. It handles any number of parameters
 * without pipes, or a single one with pipes. It leaves the other cases to Nest, which decides on the order: several
 * parameters with pipes run side by side, and a decorator with its own function may be asynchronous and fail.
 */
export function directFill(
  pipes: readonly PipeTransform[],
  parameters: readonly PreparedParameter[],
): FillParameters | undefined {
  const [first, ...others] = parameters;
  if (!first || parameters.some(({ type }) => typeof type !== 'number')) return undefined;
  const all = [...pipes, ...first.pipes];
  if (all.length > 0 && others.length === 0) return fillPiped(first, all);
  const isPlain = pipes.length === 0 && parameters.every((parameter) => parameter.pipes.length === 0);
  return isPlain ? fillPlain(parameters) : undefined;
}

function fillPlain(parameters: readonly PreparedParameter[]): FillParameters {
  return (values, ...args) => {
    for (const { index, extractValue } of parameters) values[index] = extractValue(...args);
  };
}

function fillPiped(parameter: PreparedParameter, pipes: readonly PipeTransform[]): FillParameters {
  const { index, extractValue } = parameter;
  const metadata = metadataOf(parameter);
  return (values, ...args) => {
    let value = extractValue(...args);
    for (const [at, pipe] of pipes.entries()) {
      // Each pipe gets its own object, because it may keep it or write to it.
      value = pipe.transform(value, { ...metadata });
      if (!isPromise(value)) continue;
      return finish(value, pipes.slice(at + 1), metadata).then((last) => {
        values[index] = last;
      });
    }
    values[index] = value;
    return undefined;
  };
}

async function finish(
  value: unknown,
  pipes: readonly PipeTransform[],
  metadata: ArgumentMetadata,
): Promise<unknown> {
  let result = await value;
  for (const pipe of pipes) result = (await pipe.transform(result, { ...metadata })) as unknown;
  return result;
}

/** The metadata that Nest passes to pipes. Nest 12 adds `schema`. */
function metadataOf({ type, metatype, data, ...rest }: PreparedParameter): ArgumentMetadata {
  const known = { metatype, type: KINDS.get(type as number) ?? 'custom', data };
  return ('schema' in rest ? { ...known, schema: rest.schema } : known) as ArgumentMetadata;
}

/** Nest's numbers for the parts of a request that pipes know by name. */
const KINDS = new Map<number, ArgumentMetadata['type']>([
  [3, 'body'],
  [4, 'query'],
  [5, 'param'],
]);
