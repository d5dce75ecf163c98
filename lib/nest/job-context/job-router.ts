import { nearestKey } from '../../engine/config/nearest-key.js';
import type { Job, TimeLimits } from '../../engine/index.js';
import { AmbiguousJobError, UnhandledJobError } from '../errors.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { limitsOfHandler } from '../explorer/handler-limits.js';
import { locationOf } from '../explorer/host.js';
import type { RoutePlan } from '../explorer/routes.js';
import type { JobHandler } from './job-context.factory.js';

/** The router remembers the handlers of up to this many names. The limit exists because producers can invent names. */
const REMEMBERED_NAMES = 1_000;

/** Where a job goes, and its time limits there. */
interface Route {
  readonly handler: JobHandler;
  readonly limits: TimeLimits | undefined;
}

/** Passes each job of a queue to its handler: by exact name, then by pattern, then to the catch-all. */
export class JobRouter {
  readonly #handlers = new Map<HandlerDeclaration, Route>();
  readonly #found = new Map<string, Route>();

  constructor(
    private readonly queue: string,
    private readonly routes: RoutePlan,
    private readonly build: (handler: HandlerDeclaration) => JobHandler,
  ) {
    // All handlers are built at boot, so that a mistake in one of them stops the boot.
    for (const handler of routes.names.values()) this.routeTo(handler);
    for (const { handler } of routes.patterns) this.routeTo(handler);
    if (routes.rest) this.routeTo(routes.rest);
  }

  /** Rejects with UnhandledJobError or AmbiguousJobError, both unrecoverable, if not exactly one handler matches. */
  readonly run: JobHandler = (job: Job) => {
    const found = this.find(job.name);
    return found instanceof Error ? Promise.reject(found) : found.handler(job);
  };

  /** The limits that the handler of a job sets; undefined if no method sets any. */
  get limitsOf(): ((name: string) => TimeLimits | undefined) | undefined {
    if ([...this.#handlers.values()].every(({ limits }) => limits === undefined)) return undefined;
    return (name) => {
      const found = this.find(name);
      return found instanceof Error ? undefined : found.limits;
    };
  }

  private find(name: string): Route | Error {
    const known = this.#found.get(name);
    if (known) return known;
    const declaration = this.declarationFor(name);
    if (declaration instanceof Error) return declaration;
    const found = this.routeTo(declaration);
    if (this.#found.size < REMEMBERED_NAMES) this.#found.set(name, found);
    return found;
  }

  private declarationFor(name: string): HandlerDeclaration | Error {
    const { names, patterns, rest } = this.routes;
    const exact = names.get(name);
    if (exact) return exact;
    const matching = new Set(
      patterns.filter(({ pattern }) => pattern.test(name)).map(({ handler }) => handler),
    );
    const [match = rest, ...others] = matching;
    if (!match) {
      const exactNames = [...names.keys()];
      const handled = [
        ...exactNames.map((known) => `"${known}"`),
        ...patterns.map(({ pattern }) => String(pattern)),
      ];
      return new UnhandledJobError(this.queue, name, handled, nearestKey(name, exactNames));
    }
    if (others.length > 0) {
      const locations = [...matching].map(({ host, methodName }) => locationOf(host, methodName));
      return new AmbiguousJobError(this.queue, name, locations);
    }
    return match;
  }

  private routeTo(declaration: HandlerDeclaration): Route {
    let route = this.#handlers.get(declaration);
    if (!route) {
      route = { handler: this.build(declaration), limits: limitsOfHandler(declaration.options) };
      this.#handlers.set(declaration, route);
    }
    return route;
  }
}
