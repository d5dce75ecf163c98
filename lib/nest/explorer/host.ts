import type { ModuleRef } from '@nestjs/core';
import type { InstanceWrapper, NestModule } from '../nest-types.js';
import type { SourceLocation } from '../source-location.js';

/** A provider or controller whose methods are called, its module, and how to get an instance of it. */
export interface Host {
  readonly wrapper: InstanceWrapper;
  readonly module: NestModule;
  /** Resolves the class in this module only, even if other modules provide it too. */
  readonly moduleRef: ModuleRef;
  readonly classRef: HostClass;
  readonly className: string;
  readonly moduleName: string;
  /** True if each job gets its own instance. With a durable provider, each tenant does. */
  readonly scoped: boolean;
  /** The single instance; undefined if the host is scoped. */
  readonly instance: HostInstance | undefined;
}

export type HostClass = abstract new (...args: never[]) => object;
export type HostInstance = Record<string, (...args: unknown[]) => unknown>;

export function locationOf(host: Host, methodName?: string): SourceLocation {
  const { className, moduleName } = host;
  return methodName === undefined ? { className, moduleName } : { className, moduleName, methodName };
}
