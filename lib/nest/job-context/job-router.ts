import { nearestKey } from '../../engine/config/nearest-key.js';
import type { Job } from '../../engine/index.js';
import { AmbiguousJobError, UnhandledJobError } from '../errors.js';
import type { HandlerDeclaration } from '../explorer/declarations.js';
import { locationOf } from '../explorer/host.js';
import type { RoutePlan } from '../explorer/routes.js';
import type { JobHandler } from './job-context.factory.js';

/** The router remembers the handlers of up to this many names. The limit exists because producers can invent names. */
const REMEMBERED_NAMES = 1_000;

/** Passes each job of a queue to its handler: by exact name, then by pattern, then to the catch-all. */
export class JobRouter {
  readonly #handlers = new Map<HandlerDeclaration, JobHandler>();
  readonly #found = new Map<string, JobHandler>();

  constructor(
    private readonly queue: string,
    private readonly routes: RoutePlan,
    private readonly build: (handler: HandlerDeclaration) => JobHandler,
  ) {
    // All handlers are built at boot, so that a mistake in one of them stops the boot.
    for (const handler of routes.names.values()) this.handlerOf(handler);
    for (const { handler } of routes.patterns) this.handlerOf(handler);
    if (routes.rest) this.handlerOf(routes.rest);
  }

  /** Rejects with UnhandledJobError or AmbiguousJobError, both unrecoverable, if not exactly one handler matches. */
  readonly run: JobHandler = (job: Job) => this.find(job.name)(job);

  private find(name: string): JobHandler {
    const known = this.#found.get(name);
    if (known) return known;
    const found = this.declarationFor(name);
    if (found instanceof Error) return () => Promise.reject(found);
    const handler = this.handlerOf(found);
    if (this.#found.size < REMEMBERED_NAMES) this.#found.set(name, handler);
    return handler;
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

  private handlerOf(declaration: HandlerDeclaration): JobHandler {
    let handler = this.#handlers.get(declaration);
    if (!handler) {
      handler = this.build(declaration);
      this.#handlers.set(declaration, handler);
    }
    return handler;
  }
}
