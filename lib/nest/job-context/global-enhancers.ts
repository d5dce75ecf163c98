import type { ContextId, ExternalContextCreator } from '@nestjs/core';
import { ModuleRef } from '@nestjs/core';
import { UnknownNestError } from '../errors.js';
import type { Host } from '../explorer/host.js';
import type { InstanceWrapper } from '../nest-types.js';
import type { SourceLocation } from '../source-location.js';

/** The kinds of enhancers that an application can bind globally. */
export const ENHANCER_KINDS = ['guards', 'pipes', 'interceptors', 'filters'] as const;
export type EnhancerKind = (typeof ENHANCER_KINDS)[number];

/** The instances of global enhancers that run round one handler. */
export type GlobalEnhancers = Readonly<Record<EnhancerKind, readonly object[]>>;

/** Nest's creator of one kind of enhancers. What is used here is private to TypeScript. */
export interface ContextCreator {
  create(...args: unknown[]): never;
  getGlobalMetadata?: () => readonly object[];
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Where Nest keeps the creators, and where its configuration keeps what has no single instance. */
const NEST = {
  guards: { creator: 'guardsContextCreator', scoped: 'getGlobalRequestGuards' },
  pipes: { creator: 'pipesContextCreator', scoped: 'getGlobalRequestPipes' },
  interceptors: { creator: 'interceptorsContextCreator', scoped: 'getGlobalRequestInterceptors' },
  filters: { creator: 'filtersContextCreator', scoped: 'getGlobalRequestFilters' },
} as const;

/** A resolver whose `injector` makes what a wrapper needs. */
interface Resolver {
  readonly injector: {
    loadEnhancersPerContext(
      wrapper: InstanceWrapper,
      contextId: ContextId,
      inquirer: InstanceWrapper,
    ): unknown;
  };
  resolve: ModuleRef['resolve'];
}

/**
 * The enhancers that an application binds globally. Nest would run them round every handler; they are written for HTTP
 * requests, so a job handler gets those only that `globalEnhancers` asks for.
 */
export class GlobalEnhancerSource {
  readonly #nest: Record<string, ContextCreator | undefined>;

  constructor(base: ExternalContextCreator) {
    this.#nest = base as unknown as Record<string, ContextCreator | undefined>;
  }

  /** Nest's creator of a kind that finds these global enhancers, whatever the application binds. */
  creator(kind: EnhancerKind, globals: readonly object[], location: SourceLocation): ContextCreator {
    const creator = this.known(kind, location);
    return Object.assign(Object.create(creator) as ContextCreator, { getGlobalMetadata: () => globals });
  }

  /** Those that have one instance for all calls. */
  static(kinds: readonly EnhancerKind[], location: SourceLocation): GlobalEnhancers {
    return byKind((kind) =>
      // Without a context Nest answers with these.
      kinds.includes(kind) ? [...(this.known(kind, location).getGlobalMetadata?.() ?? [])] : [],
    );
  }

  /** Whether some of them are made for each call. */
  hasScoped(kinds: readonly EnhancerKind[], location: SourceLocation): boolean {
    return kinds.some((kind) => this.scoped(kind, location).length > 0);
  }

  /** All of them, with those that are made for this context. */
  async inContext(
    kinds: readonly EnhancerKind[],
    contextId: ContextId,
    location: SourceLocation,
  ): Promise<GlobalEnhancers> {
    const single = this.static(kinds, location);
    const entries = await Promise.all(
      ENHANCER_KINDS.map(async (kind) => {
        const scoped = kinds.includes(kind) ? this.scoped(kind, location) : [];
        const made = await Promise.all(scoped.map((wrapper) => make(wrapper, contextId)));
        return [kind, [...single[kind], ...made]] as const;
      }),
    );
    return Object.fromEntries(entries) as unknown as GlobalEnhancers;
  }

  /**
   * The instance of a class in a context. Nest binds global enhancers that are request-scoped to every controller: they
   * are not made here, as what they inject as the request would be a job.
   */
  async instanceOf<Instance extends object>(
    host: Host,
    contextId: ContextId,
    location: SourceLocation,
  ): Promise<Instance> {
    const { wrapper, moduleRef } = host;
    const globals = new Set(ENHANCER_KINDS.flatMap((kind) => this.scoped(kind, location)));
    const isBound = (enhancer: InstanceWrapper): boolean => !globals.has(enhancer);
    const resolver = (wrapper.getEnhancersMetadata() ?? []).every(isBound)
      ? moduleRef
      : withEnhancers(moduleRef, isBound, location);
    return resolver.resolve<Instance>(wrapper.token as string, contextId, { strict: true });
  }

  private scoped(kind: EnhancerKind, location: SourceLocation): readonly InstanceWrapper[] {
    const { config } = this.known(kind, location);
    const list = config?.[NEST[kind].scoped];
    if (typeof list !== 'function') throw new UnknownNestError(location);
    return list.call(config) as readonly InstanceWrapper[];
  }

  /** Enhancers that run where they should not would be a silent harm: another way of Nest's must be heard of. */
  private known(kind: EnhancerKind, location: SourceLocation): ContextCreator {
    const creator = this.#nest[NEST[kind].creator];
    if (typeof creator?.getGlobalMetadata === 'function') return creator;
    throw new UnknownNestError(location);
  }
}

function byKind(of: (kind: EnhancerKind) => readonly object[]): GlobalEnhancers {
  return {
    guards: of('guards'),
    pipes: of('pipes'),
    interceptors: of('interceptors'),
    filters: of('filters'),
  };
}

/** Not a provider of its own module to Nest, but found like one. */
function make(wrapper: InstanceWrapper, contextId: ContextId): Promise<object> {
  const moduleRef = wrapper.host?.providers.get(ModuleRef)?.instance as ModuleRef;
  return moduleRef.resolve<object>(wrapper.token as string, contextId, { strict: true });
}

/** Resolves with some of the enhancers that are bound to a class, and not with all of them. */
function withEnhancers(
  moduleRef: ModuleRef,
  isWanted: (enhancer: InstanceWrapper) => boolean,
  location: SourceLocation,
): Resolver {
  const resolver = moduleRef as unknown as Resolver;
  const { injector } = resolver;
  if (
    typeof (injector as Partial<Resolver['injector']> | undefined)?.loadEnhancersPerContext !== 'function'
  ) {
    throw new UnknownNestError(location);
  }
  const selective = Object.assign(Object.create(injector) as Resolver['injector'], {
    loadEnhancersPerContext(wrapper: InstanceWrapper, contextId: ContextId, inquirer: InstanceWrapper) {
      const seen = Object.create(wrapper) as InstanceWrapper;
      seen.getEnhancersMetadata = () => (wrapper.getEnhancersMetadata() ?? []).filter(isWanted);
      return injector.loadEnhancersPerContext.call(this, seen, contextId, inquirer);
    },
  });
  return Object.assign(Object.create(resolver) as Resolver, { injector: selective });
}
