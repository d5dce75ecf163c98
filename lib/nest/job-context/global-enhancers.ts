import type { ContextId, ExternalContextCreator } from '@nestjs/core';
import { ModuleRef } from '@nestjs/core';
import { UnknownNestError } from '../errors.js';
import type { Host } from '../explorer/host.js';
import type { InstanceWrapper } from '../nest-types.js';
import type { SourceLocation } from '../source-location.js';

/** The kinds of enhancers that an application can bind globally. */
export const ENHANCER_KINDS = ['guards', 'pipes', 'interceptors', 'filters'] as const;
export type EnhancerKind = (typeof ENHANCER_KINDS)[number];

/** The instances of global enhancers that run around one handler. */
export type GlobalEnhancers = Readonly<Record<EnhancerKind, readonly object[]>>;

/** Nest's creator of one kind of enhancers. In TypeScript, these members are private. */
export interface ContextCreator {
  create(...args: unknown[]): never;
  getGlobalMetadata?: () => readonly object[];
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The members in which Nest keeps the creators, and the methods of its configuration that list request-scoped enhancers. */
const NEST = {
  guards: { creator: 'guardsContextCreator', scoped: 'getGlobalRequestGuards' },
  pipes: { creator: 'pipesContextCreator', scoped: 'getGlobalRequestPipes' },
  interceptors: { creator: 'interceptorsContextCreator', scoped: 'getGlobalRequestInterceptors' },
  filters: { creator: 'filtersContextCreator', scoped: 'getGlobalRequestFilters' },
} as const;

/** A resolver whose `injector` creates what a wrapper needs. */
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
 * The global enhancers of an application. Nest would run them around every handler. They are written for HTTP requests, so
 * a job handler gets only those that `globalEnhancers` selects.
 */
export class GlobalEnhancerSource {
  readonly #nest: Record<string, ContextCreator | undefined>;

  constructor(base: ExternalContextCreator) {
    this.#nest = base as unknown as Record<string, ContextCreator | undefined>;
  }

  /** Nest's creator of one kind. It finds the given global enhancers instead of those that the application binds. */
  creator(kind: EnhancerKind, globals: readonly object[], location: SourceLocation): ContextCreator {
    const creator = this.known(kind, location);
    return Object.assign(Object.create(creator) as ContextCreator, { getGlobalMetadata: () => globals });
  }

  /** The enhancers that have one instance for all calls. */
  static(kinds: readonly EnhancerKind[], location: SourceLocation): GlobalEnhancers {
    return byKind((kind) =>
      // Called without a context, this method of Nest returns exactly these.
      kinds.includes(kind) ? [...(this.known(kind, location).getGlobalMetadata?.() ?? [])] : [],
    );
  }

  /** Whether some of the enhancers are created for each call. */
  hasScoped(kinds: readonly EnhancerKind[], location: SourceLocation): boolean {
    return kinds.some((kind) => this.scoped(kind, location).length > 0);
  }

  /** All enhancers, including those that are created for this context. */
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
   * The instance of a class in a context. Nest binds request-scoped global enhancers to every controller. They are not
   * created here, because they would get a job where they inject the request.
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

  /** Fails loudly if Nest works in an unknown way: otherwise enhancers would silently run where they should not. */
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

/** Nest does not list a global enhancer as a provider of its module, but resolves it like one. */
function make(wrapper: InstanceWrapper, contextId: ContextId): Promise<object> {
  const moduleRef = wrapper.host?.providers.get(ModuleRef)?.instance as ModuleRef;
  return moduleRef.resolve<object>(wrapper.token as string, contextId, { strict: true });
}

/** A resolver that creates only some of the enhancers that are bound to a class. */
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
