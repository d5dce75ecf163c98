import { DuplicateHandlerError, InvalidDecoratorError, NoHandlerError } from '../errors.js';
import type { SourceLocation } from '../source-location.js';
import type { HandlerDeclaration } from './declarations.js';
import { locationOf } from './host.js';

/** Which handler handles which job names of one queue. */
export interface RoutePlan {
  readonly names: ReadonlyMap<string, HandlerDeclaration>;
  readonly patterns: readonly { readonly pattern: RegExp; readonly handler: HandlerDeclaration }[];
  readonly rest: HandlerDeclaration | undefined;
}

/** @throws DuplicateHandlerError, NoHandlerError, InvalidDecoratorError */
export function planRoutes(
  queue: string,
  handlers: readonly HandlerDeclaration[],
  processors: readonly SourceLocation[],
): RoutePlan {
  if (handlers.length === 0) throw new NoHandlerError(queue, processors);
  const names = new Map<string, HandlerDeclaration>();
  const patterns = new Map<string, { pattern: RegExp; handler: HandlerDeclaration }>();
  let rest: HandlerDeclaration | undefined;

  for (const handler of handlers) {
    if (handler.catchAll) {
      if (rest) throw duplicate(queue, 'all other job names, @OnJob()', rest, handler);
      rest = handler;
    }
    for (const name of handler.names) {
      if (typeof name === 'string') {
        const other = names.get(name);
        if (other) throw duplicate(queue, `the job name "${name}"`, other, handler);
        names.set(name, handler);
      } else {
        const other = patterns.get(String(name));
        // One method may name the same pattern twice.
        if (other?.handler === handler) continue;
        if (other) throw duplicate(queue, `the pattern ${String(name)}`, other.handler, handler);
        patterns.set(String(name), { pattern: stateless(name), handler });
      }
    }
  }
  if (rest?.namesNothing) {
    throw new InvalidDecoratorError(
      '@OnJob',
      locationOf(rest.host, rest.methodName),
      'the list of names is empty. A catch-all is @OnJob() without an argument.',
    );
  }
  return { names, patterns: [...patterns.values()], rest };
}

/** Whether at least one handler handles jobs with this name. */
export function handles({ names, patterns, rest }: RoutePlan, name: string): boolean {
  return rest !== undefined || names.has(name) || patterns.some(({ pattern }) => pattern.test(name));
}

/** Removes `g` and `y`: with these flags a pattern keeps its position, so it would match one name and not the next. */
function stateless({ source, flags }: RegExp): RegExp {
  return new RegExp(source, flags.replace(/[gy]/g, ''));
}

function duplicate(
  queue: string,
  what: string,
  ...handlers: readonly HandlerDeclaration[]
): DuplicateHandlerError {
  return new DuplicateHandlerError(
    queue,
    what,
    handlers.map(({ host, methodName }) => locationOf(host, methodName)),
  );
}
