import type { EventEmitter } from 'node:events';
import { Injectable, Logger, type InjectionToken } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Job } from '../../engine/index.js';
import { printable } from '../../engine/base/printable.js';
import { readProperty } from '../../engine/base/safe-access.js';
import { detailOf, stackOf } from '../../engine/base/thrown.js';
import type { ListenerDeclaration } from '../explorer/declarations.js';
import { locationOf, type HostInstance } from '../explorer/host.js';
import { JobContextFactory } from '../job-context/job-context.factory.js';
import { JobScopes } from '../job-context/job-scope.js';
import { describeLocation } from '../source-location.js';

/** What the emitter of the application must provide. */
interface EmitterLike {
  emit(event: string, ...args: unknown[]): unknown;
}

/** Calls the methods that listen to events. If one throws, the error is logged; the job and the others are not affected. */
@Injectable()
export class ListenerBinder {
  readonly #logger = new Logger('Chasqui');

  constructor(
    private readonly contexts: JobContextFactory,
    private readonly scopes: JobScopes,
    private readonly moduleRef: ModuleRef,
  ) {}

  /** Calls the methods on the events of a worker or a subscription. */
  bind(source: EventEmitter, listeners: readonly ListenerDeclaration[]): void {
    for (const listener of listeners) {
      source.on(listener.event, (...args: unknown[]) => {
        this.call(listener, args);
      });
    }
  }

  /** Copies events to the emitter of the application, as `<prefix>.<event>`. */
  forward(source: EventEmitter, events: readonly string[], prefix: string, token: InjectionToken): void {
    const emitter = this.moduleRef.get<EmitterLike>(token as string, { strict: false });
    for (const event of events) {
      const name = `${prefix}.${event}`;
      source.on(event, (...args: unknown[]) => {
        const emit = (): unknown => emitter.emit(name, ...args);
        this.guard(`A listener of "${name}"`, () => this.inScope(args, emit));
      });
    }
  }

  private call({ host, methodName, event }: ListenerDeclaration, args: unknown[]): void {
    const run = (instance: HostInstance): unknown => instance[methodName]?.(...args);
    const what = `${describeLocation(locationOf(host, methodName))}, which listens to "${event}",`;
    const { instance } = host;
    this.guard(what, () =>
      this.inScope(args, () =>
        // Synchronous if possible, so that listeners see events in the order in which they happen.
        instance ? run(instance) : this.contexts.instanceFor(host, jobIn(args)).then(run),
      ),
    );
  }

  private inScope(args: unknown[], run: () => unknown): unknown {
    const job = jobIn(args);
    return job ? this.scopes.enter(job, run) : run();
  }

  private guard(what: string, run: () => unknown): void {
    const report = (error: unknown): void => {
      this.#logger.error(printable(`${what} failed: ${detailOf(error)}`), stackOf(error));
    };
    try {
      const result = run();
      // A thenable of another library may throw. A native promise that adopts it then rejects.
      if (isThenable(result))
        new Promise((resolve) => {
          resolve(result);
        }).catch(report);
    } catch (error) {
      report(error);
    }
  }
}

/** The job of an event: its first argument, or the `job` of a `deadLettered` event. */
function jobIn([first]: unknown[]): Job | undefined {
  if (first instanceof Job) return first;
  const job = readProperty(first, 'job');
  return job instanceof Job ? job : undefined;
}

function isThenable(value: unknown): boolean {
  return typeof readProperty(value, 'then') === 'function';
}
