import { Injectable } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, type ContextId } from '@nestjs/core';
import type { Job } from '../../engine/index.js';
import { CHASQUI_CONTEXT_TYPE, PARAMETERS_METADATA } from '../constants.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { placeOf, type Host, type HostInstance } from '../explorer/host.js';
import { deriveContextCreator } from './job-context.creator.js';
import { JobParamsFactory } from './job-params.factory.js';
import { JobScopes } from './job-scope.js';
import { Verdicts } from './verdicts.js';

export type JobHandler = (job: Job) => Promise<unknown>;

/** Builds the function that runs a handler with its guards, interceptors, pipes and filters. */
@Injectable()
export class JobContextFactory {
  readonly #params = new JobParamsFactory();
  readonly #verdicts = new Verdicts();

  constructor(
    private readonly contextCreator: ExternalContextCreator,
    private readonly scopes: JobScopes,
  ) {}

  create({ host, methodName }: HandlerDeclaration): JobHandler {
    const run = host.instance ? this.bind(host, methodName, host.instance) : this.perJob(host, methodName);
    const place = placeOf(host, methodName);
    return (job) =>
      this.scopes.enter(job, async () => {
        try {
          return await run(job);
        } catch (error) {
          throw this.#verdicts.translate(error, place);
        }
      });
  }

  /** The instance that serves this job: the only one, or the one of the job's DI context. */
  async instanceFor(host: Host, job: Job | undefined): Promise<HostInstance> {
    if (host.instance) return host.instance;
    const contextId = job
      ? this.scopes.contextId(job, () => newContext(host, job))
      : ContextIdFactory.create();
    return host.moduleRef.resolve<HostInstance>(host.wrapper.token as string, contextId, { strict: true });
  }

  /** Resolves the class, and builds its context, anew for each job, as Nest does for requests. */
  private perJob(host: Host, methodName: string): JobHandler {
    return async (job) => {
      const contextId = this.scopes.contextId(job, () => newContext(host, job));
      const instance = await this.instanceFor(host, job);
      return this.bind(host, methodName, instance, contextId)(job);
    };
  }

  private bind(host: Host, methodName: string, instance: HostInstance, contextId?: ContextId): JobHandler {
    const creator = deriveContextCreator(this.contextCreator, host.module, this.#verdicts);
    const method = instance[methodName] as HostInstance[string];
    const call = creator.create(
      instance,
      method,
      methodName,
      PARAMETERS_METADATA,
      this.#params,
      contextId,
      contextId && host.wrapper.id,
      undefined,
      CHASQUI_CONTEXT_TYPE,
    );
    // A signal costs something to make, so that one is made only for those who can see it.
    return method.length > 1 ? (job) => call(job, job.signal) : (job) => call(job);
  }
}

/** Makes the job what `@Inject(JOB_REF)` gives, or, for a durable tree, the payload that its strategy provides. */
function newContext(host: Host, job: Job): ContextId {
  const contextId = ContextIdFactory.getByRequest(job);
  const durable = host.wrapper.isDependencyTreeDurable();
  host.moduleRef.registerRequestByContextId(durable ? contextId.payload : job, contextId);
  return contextId;
}
