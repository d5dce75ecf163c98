import { ENHANCER_METADATA, PARAMETERS_METADATA } from '../constants.js';
import { UnboundEnhancerError } from '../errors.js';
import { locationOf, type Host, type HostClass } from './host.js';

type Enhancer = object | HostClass;

/**
 * Nest creates enhancers only for the classes that it scans. For a processor that `useValue` or `useFactory` provides, it
 * would silently leave out a guard that is bound as a class.
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
