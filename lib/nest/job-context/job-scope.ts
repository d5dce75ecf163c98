import { AsyncLocalStorage } from 'node:async_hooks';
import type { ContextId } from '@nestjs/core';
import type { Job } from '../../engine/index.js';

/** What belongs to one run of one job: the same in the handler, in what it calls, and in the worker's listeners. */
export interface JobScope {
  readonly job: Job;
  /** For values of your own, a trace id say. */
  readonly store: Map<unknown, unknown>;
}

interface OpenScope extends JobScope {
  contextId: ContextId | undefined;
}

const storage = new AsyncLocalStorage<JobScope>();

/** The job that is being run, from anywhere below a handler or a worker listener; undefined elsewhere. */
export function currentJob(): JobScope | undefined {
  return storage.getStore();
}

/** Keeps the scope of each job of one application for as long as the engine holds the job. */
export class JobScopes {
  readonly #scopes = new WeakMap<Job, OpenScope>();

  /** Runs a handler or a listener in the job's scope. */
  enter<T>(job: Job, run: () => T): T {
    return storage.run(this.#of(job), run);
  }

  /** The DI context of the job's request-scoped providers; made once for the handler and the listeners. */
  contextId(job: Job, make: () => ContextId): ContextId {
    const scope = this.#of(job);
    scope.contextId ??= make();
    return scope.contextId;
  }

  #of(job: Job): OpenScope {
    let scope = this.#scopes.get(job);
    if (!scope) {
      scope = { job, store: new Map(), contextId: undefined };
      this.#scopes.set(job, scope);
    }
    return scope;
  }
}
