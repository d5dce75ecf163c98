import { Injectable } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, type ContextId } from '@nestjs/core';
import type { Job } from '../../engine/index.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { locationOf, type Host, type HostInstance } from '../explorer/host.js';
import { GlobalEnhancerSource, type EnhancerKind, type GlobalEnhancers } from './global-enhancers.js';
import type { BatchCall } from './batch-call.js';
import { JobContextCreator, type Bound } from './job-context.creator.js';
import { JobParamsFactory } from './job-params.factory.js';
import { JobScopes } from './job-scope.js';
import { Verdicts } from './verdicts.js';

/** Runs one job, or a batch. It may throw, and it returns a result or a promise of one. */
export type JobHandler = (input: Job | Job[]) => unknown;
type OneHandler = (job: Job) => unknown;

/** Builds the function that runs a handler with its guards, interceptors, pipes and filters. */
@Injectable()
export class JobContextFactory {
  readonly #creator: JobContextCreator;
  readonly #globals: GlobalEnhancerSource;

  constructor(
    contextCreator: ExternalContextCreator,
    private readonly scopes: JobScopes,
  ) {
    this.#creator = new JobContextCreator(contextCreator, new JobParamsFactory(), new Verdicts());
    this.#globals = new GlobalEnhancerSource(contextCreator);
  }

  /** @param globals which global enhancers of the application also run */
  create({ host, methodName }: HandlerDeclaration, globals: readonly EnhancerKind[]): JobHandler {
    const location = locationOf(host, methodName);
    const run =
      host.instance && !this.#globals.hasScoped(globals, location)
        ? this.bind(host, methodName, host.instance, this.#globals.static(globals, location))
        : this.perJob(host, methodName, globals);
    // Jobs of this handler come one at a time.
    return (job) => this.scopes.enter(job as Job, run);
  }

  /** The same for a handler that gets batches. */
  createBatch({ host, methodName }: HandlerDeclaration, globals: readonly EnhancerKind[]): JobHandler {
    const location = locationOf(host, methodName);
    const isStatic = host.instance && !this.#globals.hasScoped(globals, location);
    const bound = isStatic
      ? this.bindBatch(host, methodName, host.instance, this.#globals.static(globals, location))
      : undefined;
    return async (jobs) => {
      if (bound) return bound(jobs as Job[]);
      const contextId = newContext(host, jobs);
      const [instance, enhancers] = await this.resolved(host, methodName, globals, contextId);
      return this.bindBatch(host, methodName, instance, enhancers, contextId)(jobs as Job[]);
    };
  }

  /** The instance for this job: the single one, or the one of the job's DI context. */
  async instanceFor(host: Host, job: Job | undefined): Promise<HostInstance> {
    return host.instance ?? this.resolve(host, job ? this.contextOf(host, job) : ContextIdFactory.create());
  }

  /** Resolves the class and builds its context for each job, as Nest does for requests. */
  private perJob(host: Host, methodName: string, kinds: readonly EnhancerKind[]): OneHandler {
    return async (job) => {
      const contextId = this.contextOf(host, job);
      const [instance, globals] = await this.resolved(host, methodName, kinds, contextId);
      return this.bind(host, methodName, instance, globals, contextId)(job);
    };
  }

  private resolved(
    host: Host,
    methodName: string,
    kinds: readonly EnhancerKind[],
    contextId: ContextId,
  ): Promise<[HostInstance, GlobalEnhancers]> {
    return Promise.all([
      host.instance ?? this.resolve(host, contextId),
      this.#globals.inContext(kinds, contextId, locationOf(host, methodName)),
    ]);
  }

  private resolve(host: Host, contextId: ContextId): Promise<HostInstance> {
    return this.#globals.instanceOf<HostInstance>(host, contextId, locationOf(host));
  }

  private contextOf(host: Host, job: Job): ContextId {
    return this.scopes.contextId(job, () => newContext(host, job));
  }

  private bind(...handler: HandlerInContext): OneHandler {
    const [host, methodName, instance] = handler;
    const call = this.#creator.create(host.module, boundOf(...handler));
    // A signal costs time to create, so only handlers with a second parameter get one.
    const takesSignal = (instance[methodName]?.length ?? 0) > 1;
    return takesSignal ? (job) => call(job, job.signal) : (job) => call(job);
  }

  private bindBatch(...handler: HandlerInContext): BatchCall {
    const [host] = handler;
    return this.#creator.createBatch(host.module, boundOf(...handler), (job, run) =>
      this.scopes.enter(job, run),
    );
  }
}

type HandlerInContext = [
  host: Host,
  methodName: string,
  instance: HostInstance,
  globals: GlobalEnhancers,
  contextId?: ContextId,
];

function boundOf(...[host, methodName, instance, globals, contextId]: HandlerInContext): Bound {
  return {
    instance,
    methodName,
    // The enhancers of a static host are static, even if global enhancers are created for each job.
    contextId: host.instance ? undefined : contextId,
    // Nest creates a transient enhancer for each class that it is bound to.
    inquirerId: host.wrapper.id,
    location: locationOf(host, methodName),
    globals,
  };
}

/** `@Inject(JOB_REF)` injects the job or the batch, or, in a durable tree, the payload that the strategy returns. */
function newContext(host: Host, input: Job | Job[]): ContextId {
  const contextId = ContextIdFactory.getByRequest(input);
  const durable = host.wrapper.isDependencyTreeDurable();
  host.moduleRef.registerRequestByContextId(durable ? contextId.payload : input, contextId);
  return contextId;
}
