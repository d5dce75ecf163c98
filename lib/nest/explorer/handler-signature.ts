import { PARAMETERS_METADATA } from '../constants.js';
import { JobParam } from '../decorators/job-params.decorator.js';
import type { Host } from './host.js';

/**
 * What is wrong with the types of the parameters of a handler, as far as the compiler has kept them: a handler of batches gets
 * arrays, and any other gets none.
 */
export function problemOfSignature(host: Host, methodName: string, isBatched: boolean): string | undefined {
  const types = Reflect.getMetadata('design:paramtypes', host.classRef.prototype as object, methodName) as
    readonly unknown[] | undefined;
  const parameters = Reflect.getMetadata(PARAMETERS_METADATA, host.classRef, methodName) as
    Record<string, { readonly index: number }> | undefined;
  // By number, the kind of a decorator of this package or of Nest.
  const kinds = Object.entries(parameters ?? {}).map(
    ([key, { index }]) => [index, Number.parseInt(key, 10)] as const,
  );
  if (!isBatched) {
    return kinds.length === 0 && types?.[0] === Array
      ? 'its first parameter is an array, and the method gets one job. Declare `job: Job`, or set "batches": @OnJob(name, { batches: { size } }).'
      : undefined;
  }
  const arrays =
    kinds.length === 0 ? [0] : kinds.filter(([, kind]) => kind !== JobParam.signal).map(([index]) => index);
  const wrong = arrays.find((index) => !mayBeArray(types?.[index]));
  if (wrong === undefined) return undefined;
  const { name } = types?.[wrong] as { name: string };
  return `with "batches", its parameter ${String(wrong + 1)} is an array with a value for each job, and it is declared as ${name}. Declare ${name === 'Job' ? '`jobs: Job[]`' : `\`${name}[]\``}.`;
}

/** An interface, a union or a type that the compiler cannot express is `Object`. */
function mayBeArray(type: unknown): boolean {
  return type === undefined || type === Array || type === Object;
}
