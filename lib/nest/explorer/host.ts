import type { ModuleRef } from '@nestjs/core';
import type { InstanceWrapper, NestModule } from '../nest-types.js';
import type { SourceLocation } from '../source-location.js';

/** A provider or controller whose methods are called: where it lives and how to get an instance of it. */
export interface Host {
  readonly wrapper: InstanceWrapper;
  readonly module: NestModule;
  /** Resolves in the module that provides the class, and in no other that provides it too. */
  readonly moduleRef: ModuleRef;
  readonly classRef: HostClass;
  readonly className: string;
  readonly moduleName: string;
  /** True where each job gets an instance of its own (or, durable, each tenant). */
  readonly scoped: boolean;
  /** The one instance; undefined where it is scoped. */
  readonly instance: HostInstance | undefined;
}

export type HostClass = abstract new (...args: never[]) => object;
export type HostInstance = Record<string, (...args: unknown[]) => unknown>;

export function locationOf(host: Host, methodName?: string): SourceLocation {
  const { className, moduleName } = host;
  return methodName === undefined ? { className, moduleName } : { className, moduleName, methodName };
}
