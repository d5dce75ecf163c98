import { ENHANCER_METADATA, PARAMETERS_METADATA } from '../constants.js';
import { UnboundEnhancerError } from '../errors.js';
import { locationOf, type Host, type HostClass } from './host.js';

type Enhancer = object | HostClass;

/**
 * Nest instantiates the enhancers of classes that it scans, and of those only. For a processor that is provided by
 * `useValue` or `useFactory` it would leave out a guard given as a class, silently.
 * @throws UnboundEnhancerError
 */
export function assertEnhancersBound(host: Host, methodName: string): void {
  for (const [kind, enhancer] of enhancersOf(host.classRef, methodName)) {
    if (typeof enhancer !== 'function' || host.module.injectables.has(enhancer)) continue;
    throw new UnboundEnhancerError(kind, enhancer.name, locationOf(host, methodName));
  }
}

function* enhancersOf(classRef: HostClass, methodName: string): Iterable<readonly [string, Enhancer]> {
  const method = (classRef.prototype as Record<string, object>)[methodName] as object;
  for (const [kind, key] of Object.entries(ENHANCER_METADATA)) {
    for (const target of [classRef, method]) {
      for (const enhancer of list(Reflect.getMetadata(key, target))) yield [kind, enhancer];
    }
  }
  const parameters = Reflect.getMetadata(PARAMETERS_METADATA, classRef, methodName) as
    Record<string, { readonly pipes?: unknown }> | undefined;
  for (const { pipes } of Object.values(parameters ?? {})) {
    for (const pipe of list(pipes)) yield ['pipe', pipe];
  }
}

function list(value: unknown): readonly Enhancer[] {
  return Array.isArray(value) ? (value as readonly Enhancer[]) : [];
}
