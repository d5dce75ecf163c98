import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import {
  ON_JOB_METADATA,
  ON_QUEUE_EVENT_METADATA,
  ON_WORKER_EVENT_METADATA,
  PROCESSOR_METADATA,
  QUEUE_EVENTS_LISTENER_METADATA,
  REPEAT_METADATA,
} from '../constants.js';
import type { OnJobMetadata } from '../decorators/on-job.decorator.js';
import type { ProcessorMetadata } from '../decorators/processor.decorator.js';
import type { QueueEventsListenerMetadata } from '../decorators/queue-events-listener.decorator.js';
import type { RepeatMetadata } from '../decorators/repeat.decorator.js';
import type { InstanceWrapper } from '../nest-types.js';
import type {
  Declarations,
  HandlerDeclaration,
  ListenerDeclaration,
  ProcessorDeclaration,
  QueueEventsDeclaration,
  Misplaced,
} from './declarations.js';
import type { Host, HostClass, HostInstance } from './host.js';

/** Finds the decorators of this package in the providers and controllers of all modules. */
@Injectable()
export class ChasquiExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  explore(): Declarations {
    const processors: ProcessorDeclaration[] = [];
    const listeners: QueueEventsDeclaration[] = [];
    const misplaced: Misplaced[] = [];
    for (const host of this.hosts()) {
      const served = classMetadata(PROCESSOR_METADATA, host) as readonly ProcessorMetadata[];
      const heard = classMetadata(
        QUEUE_EVENTS_LISTENER_METADATA,
        host,
      ) as readonly QueueEventsListenerMetadata[];
      const handled = this.handlers(host);
      const onWorker = this.listeners(host, ON_WORKER_EVENT_METADATA);
      const onQueue = this.listeners(host, ON_QUEUE_EVENT_METADATA);
      for (const queue of served) processors.push({ host, ...queue, handlers: handled, listeners: onWorker });
      if (served.length === 0) {
        for (const handler of handled) {
          const decorator = handler.schedules.length === 0 || handler.names.length > 0 ? '@OnJob' : '@Repeat';
          misplaced.push(misplacedBy(decorator, '@Processor')(handler));
        }
        misplaced.push(...onWorker.map(misplacedBy('@OnWorkerEvent', '@Processor')));
      }
      for (const queue of heard) listeners.push({ host, ...queue, listeners: onQueue });
      if (heard.length === 0)
        misplaced.push(...onQueue.map(misplacedBy('@OnQueueEvent', '@QueueEventsListener')));
    }
    return { processors, listeners, misplaced };
  }

  private *hosts(): Iterable<Host> {
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const host = toHost(wrapper);
      if (host) yield host;
    }
  }

  private handlers(host: Host): HandlerDeclaration[] {
    const names = this.decorated<OnJobMetadata>(host, ON_JOB_METADATA);
    const schedules = this.decorated<RepeatMetadata>(host, REPEAT_METADATA);
    const methods = new Set([...names, ...schedules].map(([methodName]) => methodName));
    return [...methods].map((methodName) => {
      const uses = valuesOf(methodName, names);
      return {
        host,
        methodName,
        names: [...new Set(uses.flatMap((use) => use.names))],
        catchAll: uses.some((use) => use.names.length === 0),
        namesNothing: uses.some((use) => use.namesNothing),
        options: uses.flatMap(({ options }) => options ?? []),
        schedules: valuesOf(methodName, schedules),
      };
    });
  }

  private listeners(host: Host, key: string): ListenerDeclaration[] {
    const uses = this.decorated<string>(host, key);
    const methods = new Set(uses.map(([methodName]) => methodName));
    // A method that names an event twice is called once.
    return [...methods].flatMap((methodName) =>
      [...new Set(valuesOf(methodName, uses))].map((event) => ({ host, methodName, event })),
    );
  }

  /** Every use of a method decorator in the class and its base classes. */
  private decorated<Value>(host: Host, key: string): (readonly [methodName: string, value: Value])[] {
    const prototype = host.classRef.prototype as Record<string, object>;
    return this.scanner.getAllMethodNames(prototype).flatMap((methodName) => {
      const values = Reflect.getMetadata(key, prototype[methodName] as object) as Value[] | undefined;
      return (values ?? []).map((value) => [methodName, value] as const);
    });
  }
}

function toHost(wrapper: InstanceWrapper): Host | undefined {
  const module = wrapper.host;
  const moduleRef = module?.providers.get(ModuleRef)?.instance as ModuleRef | undefined;
  // The target of an alias (`useExisting`) is a provider of its own.
  if (!module || !moduleRef || wrapper.isAlias) return undefined;
  const scoped = !wrapper.isDependencyTreeStatic() || wrapper.isTransient;
  const classRef = classOf(wrapper, scoped);
  if (!classRef) return undefined;
  return {
    wrapper,
    module,
    moduleRef,
    classRef,
    className: classRef.name,
    moduleName: module.metatype.name,
    scoped,
    instance: scoped ? undefined : (wrapper.instance as HostInstance),
  };
}

/**
 * The class of a provider, however it is provided. A request-scoped factory has no instance yet, so only its token can
 * tell the class: if the token is a class, the factory creates instances of it. With any other token the class is unknown.
 */
function classOf(
  { isNotMetatype, metatype, instance, token }: InstanceWrapper,
  scoped: boolean,
): HostClass | undefined {
  if (!isNotMetatype && typeof metatype === 'function') return metatype as unknown as HostClass;
  if (scoped) return typeof token === 'function' ? (token as unknown as HostClass) : undefined;
  if (typeof instance !== 'object' || instance === null) return undefined;
  // Not `instance.constructor`: a value may be a proxy that has a property for any name.
  const prototype = Object.getPrototypeOf(instance) as { constructor?: unknown } | null;
  return typeof prototype?.constructor === 'function' ? (prototype.constructor as HostClass) : undefined;
}

/** Every use of a class decorator. */
function classMetadata(key: string, host: Host): readonly unknown[] {
  return (Reflect.getMetadata(key, host.classRef) as readonly unknown[] | undefined) ?? [];
}

function misplacedBy(decorator: string, classDecorator: string) {
  return ({ host, methodName }: { host: Host; methodName: string }): Misplaced => ({
    host,
    methodName,
    decorator,
    classDecorator,
  });
}

function valuesOf<Value>(
  methodName: string,
  uses: readonly (readonly [methodName: string, value: Value])[],
): Value[] {
  return uses.filter(([used]) => used === methodName).map(([, value]) => value);
}
