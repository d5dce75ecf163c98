import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import type { ContextId } from '@nestjs/core';
import type { Job } from '../../engine/index.js';

/** The state of one attempt of a job. The handler, the code that it calls, and the worker's listeners share it. */
export interface JobScope {
  readonly job: Job;
  /** For your own values, such as a trace id. */
  readonly store: Map<unknown, unknown>;
}

interface OpenScope extends JobScope {
  contextId: ContextId | undefined;
}

/** Created for the first application that needs it, because on Node 20 it slows down every promise of the process. */
let storage: AsyncLocalStorage<JobScope> | undefined;

/**
 * The running job, in a handler, in a worker listener, and in the code that they call. Elsewhere it is undefined. Use it in
 * code that cannot get the job as an argument, such as a logger. It needs `trackCurrentJob: true` in
 * `ChasquiModule.forRoot`.
 */
export function currentJob(): JobScope | undefined {
  return storage?.getStore();
}

/** Keeps the scope of each job of one application while the job is in flight. */
@Injectable()
export class JobScopes {
  readonly #scopes = new WeakMap<Job, OpenScope>();
  #storage: AsyncLocalStorage<JobScope> | undefined;

  /** From now on, `currentJob` returns the jobs of this application. */
  track(): void {
    storage ??= new AsyncLocalStorage();
    this.#storage = storage;
  }

  /** Runs a handler or a listener in the job's scope. */
  enter<T>(job: Job, run: (job: Job) => T): T {
    return this.#storage ? this.#storage.run(this.#of(job), run, job) : run(job);
  }

  /** The DI context of the job's request-scoped providers. The handler and the listeners share it. */
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
