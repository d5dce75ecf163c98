import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
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

/** Made by the first application that asks for it: on Node 20 it slows down every promise of the process. */
let storage: AsyncLocalStorage<JobScope> | undefined;

/**
 * The job that is being run, from anywhere below a handler or a worker listener; undefined elsewhere. For loggers and
 * the like, which cannot be handed the job. It needs `trackCurrentJob: true` in `ChasquiModule.forRoot`.
 */
export function currentJob(): JobScope | undefined {
  return storage?.getStore();
}

/** Keeps the scope of each job of one application for as long as the engine holds the job. */
@Injectable()
export class JobScopes {
  readonly #scopes = new WeakMap<Job, OpenScope>();
  #storage: AsyncLocalStorage<JobScope> | undefined;

  /** From now on `currentJob` knows the jobs of this application. */
  track(): void {
    storage ??= new AsyncLocalStorage();
    this.#storage = storage;
  }

  /** Runs a handler or a listener in the job's scope. */
  enter<T>(job: Job, run: (job: Job) => T): T {
    return this.#storage ? this.#storage.run(this.#of(job), run, job) : run(job);
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
