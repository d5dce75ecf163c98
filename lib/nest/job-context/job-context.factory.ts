import { Injectable } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, type ContextId } from '@nestjs/core';
import type { Job } from '../../engine/index.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { locationOf, type Host, type HostInstance } from '../explorer/host.js';
import { GlobalEnhancerSource, type EnhancerKind, type GlobalEnhancers } from './global-enhancers.js';
import { JobContextCreator } from './job-context.creator.js';
import { JobParamsFactory } from './job-params.factory.js';
import { JobScopes } from './job-scope.js';
import { Verdicts } from './verdicts.js';

/** Runs one job. It may throw, and it returns a result or a promise of one. */
export type JobHandler = (job: Job) => unknown;

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
    return (job) => this.scopes.enter(job, run);
  }

  /** The instance for this job: the single one, or the one of the job's DI context. */
  async instanceFor(host: Host, job: Job | undefined): Promise<HostInstance> {
    return host.instance ?? this.resolve(host, job ? this.contextOf(host, job) : ContextIdFactory.create());
  }

  /** Resolves the class and builds its context for each job, as Nest does for requests. */
  private perJob(host: Host, methodName: string, kinds: readonly EnhancerKind[]): JobHandler {
    const location = locationOf(host, methodName);
    return async (job) => {
      const contextId = this.contextOf(host, job);
      const [instance, globals] = await Promise.all([
        host.instance ?? this.resolve(host, contextId),
        this.#globals.inContext(kinds, contextId, location),
      ]);
      return this.bind(host, methodName, instance, globals, contextId)(job);
    };
  }

  private resolve(host: Host, contextId: ContextId): Promise<HostInstance> {
    return this.#globals.instanceOf<HostInstance>(host, contextId, locationOf(host));
  }

  private contextOf(host: Host, job: Job): ContextId {
    return this.scopes.contextId(job, () => newContext(host, job));
  }

  private bind(
    host: Host,
    methodName: string,
    instance: HostInstance,
    globals: GlobalEnhancers,
    contextId?: ContextId,
  ): JobHandler {
    const call = this.#creator.create(host.module, {
      instance,
      methodName,
      // The enhancers of a static host are static, even if global enhancers are created for each job.
      contextId: host.instance ? undefined : contextId,
      // Nest creates a transient enhancer for each class that it is bound to.
      inquirerId: host.wrapper.id,
      location: locationOf(host, methodName),
      globals,
    });
    // A signal costs time to create, so only handlers with a second parameter get one.
    const takesSignal = (instance[methodName]?.length ?? 0) > 1;
    return takesSignal ? (job) => call(job, job.signal) : (job) => call(job);
  }
}

/** `@Inject(JOB_REF)` injects the job, or, in a durable tree, the payload that the strategy returns. */
function newContext(host: Host, job: Job): ContextId {
  const contextId = ContextIdFactory.getByRequest(job);
  const durable = host.wrapper.isDependencyTreeDurable();
  host.moduleRef.registerRequestByContextId(durable ? contextId.payload : job, contextId);
  return contextId;
}
