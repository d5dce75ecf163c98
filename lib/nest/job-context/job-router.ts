import { nearestKey } from '../../engine/config/nearest-key.js';
import type { BatchesOptions, Job, TimeLimits } from '../../engine/index.js';
import { AmbiguousJobError, UnhandledJobError } from '../errors.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { optionsOfHandler, type HandlerOptions } from '../explorer/handler-options.js';
import { locationOf } from '../explorer/host.js';
import type { RoutePlan } from '../explorer/routes.js';
import type { JobHandler } from './job-context.factory.js';

/** The router remembers the handlers of up to this many names. The limit exists because producers can invent names. */
const REMEMBERED_NAMES = 1_000;

/** Where a job goes, and the options there. */
interface Route extends HandlerOptions {
  readonly handler: JobHandler;
}

/** Passes each job of a queue to its handler: by exact name, then by pattern, then to the catch-all. */
export class JobRouter {
  readonly #handlers = new Map<HandlerDeclaration, Route>();
  readonly #found = new Map<string, Route>();

  constructor(
    private readonly queue: string,
    private readonly routes: RoutePlan,
    private readonly build: (handler: HandlerDeclaration, isBatched: boolean) => JobHandler,
  ) {
    // All handlers are built at boot, so that a mistake in one of them stops the boot.
    for (const handler of routes.names.values()) this.routeTo(handler);
    for (const { handler } of routes.patterns) this.routeTo(handler);
    if (routes.rest) this.routeTo(routes.rest);
  }

  /** Rejects with UnhandledJobError or AmbiguousJobError, both unrecoverable, if not exactly one handler matches. */
  readonly run: JobHandler = (input: Job | Job[]) => {
    // All jobs of a batch go to the same handler.
    const { name } = Array.isArray(input) ? (input[0] as Job) : input;
    const found = this.find(name);
    return found instanceof Error ? Promise.reject(found) : found.handler(input);
  };

  /** The limits that the handler of a job sets; undefined if no method sets any. */
  get limitsOf(): ((name: string) => TimeLimits | undefined) | undefined {
    if ([...this.#handlers.values()].every(({ limits }) => limits === undefined)) return undefined;
    return (name) => {
      const found = this.find(name);
      return found instanceof Error ? undefined : found.limits;
    };
  }

  /** The batches in which the handler of a job gets it; undefined if no method handles batches. */
  get batchesOf(): ((name: string) => BatchesOptions | undefined) | undefined {
    if ([...this.#handlers.values()].every(({ batches }) => batches === undefined)) return undefined;
    return (name) => {
      const found = this.find(name);
      return found instanceof Error ? undefined : found.batches;
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
      const options = optionsOfHandler(declaration.options);
      route = { ...options, handler: this.build(declaration, options.batches !== undefined) };
      this.#handlers.set(declaration, route);
    }
    return route;
  }
}
