import { ChasquiError, messageOf, UnrecoverableError } from '../engine/index.js';
import { printable } from '../engine/base/printable.js';
import { describeLocation, listOf, type SourceLocation } from './source-location.js';

/** Codes of the Nest side: CMQ-300 to 319 stop the boot, from CMQ-320 on they fail a job. */
export const NEST_ERROR_CODES = {
  queueNotRegistered: 'CMQ-300',
  duplicateQueue: 'CMQ-301',
  connectionNotRegistered: 'CMQ-302',
  duplicateConnection: 'CMQ-303',
  duplicateHandler: 'CMQ-304',
  noHandler: 'CMQ-305',
  misplacedDecorator: 'CMQ-306',
  conflictingOptions: 'CMQ-307',
  invalidDecorator: 'CMQ-308',
  unboundEnhancer: 'CMQ-309',
  unknownNest: 'CMQ-310',
  unhandledJob: 'CMQ-320',
  ambiguousJob: 'CMQ-321',
  payloadRejected: 'CMQ-322',
  jobRefused: 'CMQ-323',
} as const;

/** Base class of the mistakes that stop an application at boot. The message names class, method and queue. */
export abstract class WiringError extends ChasquiError {}

/** A processor, a listener or `workers` names a queue that no `forFeature` registers. */
export class QueueNotRegisteredError extends WiringError {
  readonly code = NEST_ERROR_CODES.queueNotRegistered;

  constructor(
    readonly queue: string,
    wantedBy: string,
    nearest: string | undefined,
  ) {
    const hint = nearest === undefined ? '' : `Did you mean "${nearest}"? If not, import `;
    super(
      `${wantedBy} is for the queue "${queue}", which is not registered. ` +
        `${hint === '' ? 'Import ' : hint}ChasquiModule.forFeature({ name: '${queue}' }) in one of your modules.`,
    );
  }
}

/** One queue registered twice with different options. */
export class DuplicateQueueError extends WiringError {
  readonly code = NEST_ERROR_CODES.duplicateQueue;

  constructor(
    readonly queue: string,
    modules: readonly string[],
    difference: string,
  ) {
    super(
      `The queue "${queue}" is registered more than once with different options (${difference}), ` +
        `by the imports of ${listOf(modules)}. ` +
        'Register it once, in a module that exports ChasquiModule, or give the same options each time.',
    );
  }
}

/** A queue asks for a connection that no `forRoot` registers. */
export class ConnectionNotRegisteredError extends WiringError {
  readonly code = NEST_ERROR_CODES.connectionNotRegistered;

  constructor(
    readonly connection: string,
    queue: string,
    modules: readonly string[],
  ) {
    const name = connection === 'default' ? '' : `name: '${connection}', `;
    super(
      `The queue "${queue}", registered in ${listOf(modules)}, uses the connection "${connection}", which is not registered. ` +
        `Import ChasquiModule.forRoot({ ${name}connection: … }) in your root module; ` +
        'one that is not global must be in the imports of the registration itself.',
    );
  }
}

/** Two `forRoot` for one connection name. */
export class DuplicateConnectionError extends WiringError {
  readonly code = NEST_ERROR_CODES.duplicateConnection;

  constructor(
    readonly connection: string,
    modules: readonly string[],
  ) {
    super(
      `The connection "${connection}" is registered more than once, by the imports of ${listOf(modules)}. ` +
        'Import ChasquiModule.forRoot() once; a further connection needs a name of its own: forRoot({ name, connection }).',
    );
  }
}

/** Two handlers for one job name of one queue. */
export class DuplicateHandlerError extends WiringError {
  readonly code = NEST_ERROR_CODES.duplicateHandler;

  constructor(
    readonly queue: string,
    what: string,
    locations: readonly SourceLocation[],
  ) {
    super(
      `The queue "${queue}" has more than one handler for ${what}: ${listOf(locations.map(describeLocation))}. ` +
        'Keep one of them. The same class in the providers of two modules counts twice.',
    );
  }
}

/** A queue whose processors have no handler at all. */
export class NoHandlerError extends WiringError {
  readonly code = NEST_ERROR_CODES.noHandler;

  constructor(
    readonly queue: string,
    locations: readonly SourceLocation[],
  ) {
    super(
      `${listOf(locations.map(describeLocation))} ${locations.length === 1 ? 'is a processor' : 'are processors'} of the queue "${queue}" ` +
        "without a handler: every job would go to the dead letters. Put @OnJob('<job name>') or @OnJob() on a method.",
    );
  }
}

/** A method decorator in a class that lacks the class decorator it belongs to. */
export class MisplacedDecoratorError extends WiringError {
  readonly code = NEST_ERROR_CODES.misplacedDecorator;

  constructor(decorator: string, location: SourceLocation, classDecorator: string) {
    super(
      `${decorator} on ${describeLocation(location)} has no effect: the class has no ${classDecorator}. Put ${classDecorator} on ${location.className}.`,
    );
  }
}

/** The classes that serve one queue ask for different values of one option. */
export class ConflictingOptionsError extends WiringError {
  readonly code = NEST_ERROR_CODES.conflictingOptions;

  constructor(
    readonly queue: string,
    readonly option: string,
    decorator: string,
    demands: readonly { readonly location: SourceLocation; readonly value: string }[],
  ) {
    const list = demands.map(({ location, value }) => `${describeLocation(location)} asks for ${value}`);
    super(
      `The classes with ${decorator} for the queue "${queue}" share one instance of it and disagree about "${option}": ${listOf(list)}. ` +
        'Set it in one place.',
    );
  }
}

/** An argument of a decorator that makes no sense, such as an event that does not exist. */
export class InvalidDecoratorError extends WiringError {
  readonly code = NEST_ERROR_CODES.invalidDecorator;

  constructor(decorator: string, location: SourceLocation, problem: string, options?: { cause?: unknown }) {
    super(`${decorator} on ${describeLocation(location)}: ${problem}`, options);
  }
}

/**
 * A guard, pipe, interceptor or filter given as a class that Nest would silently leave out, because the class that
 * bears it is provided as a value or by a factory.
 */
export class UnboundEnhancerError extends WiringError {
  readonly code = NEST_ERROR_CODES.unboundEnhancer;

  constructor(kind: string, enhancer: string, location: SourceLocation) {
    super(
      `The ${kind} ${enhancer} on ${describeLocation(location)} would never run: Nest makes enhancers only for classes that it ` +
        `instantiates itself, and ${location.className} is provided in another way (useValue, useFactory or, in older versions of Nest, useClass). ` +
        `Put ${location.className} into the providers as it is, or bind an instance: new ${enhancer}(…).`,
    );
  }
}

/** A version of Nest whose context creator works in another way: enhancers would be left out silently. */
export class UnknownNestError extends WiringError {
  readonly code = NEST_ERROR_CODES.unknownNest;

  constructor(location: SourceLocation) {
    super(
      `The guards, pipes, interceptors and filters of ${describeLocation(location)} cannot be resolved with this version of ` +
        '@nestjs/core. Use the version you had, or a newer nestjs-chasqui.',
    );
  }
}

/** A job of a name that nobody handles. It goes to the dead letters, from where it can be replayed. */
export class UnhandledJobError extends UnrecoverableError {
  override readonly code = NEST_ERROR_CODES.unhandledJob;

  constructor(queue: string, name: string, handled: readonly string[], nearest: string | undefined) {
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    super(
      printable(
        `No handler for the job name "${name}" of the queue "${queue}".${hint} ` +
          `Handled are ${listOf(handled)}. Add @OnJob('${name}') or a catch-all @OnJob(), then replay the dead letters.`,
      ),
    );
  }
}

/** A job whose name is matched by the patterns of several handlers. */
export class AmbiguousJobError extends UnrecoverableError {
  override readonly code = NEST_ERROR_CODES.ambiguousJob;

  constructor(queue: string, name: string, locations: readonly SourceLocation[]) {
    super(
      printable(
        `The job name "${name}" of the queue "${queue}" is matched by several handlers: ${listOf(locations.map(describeLocation))}. ` +
          `Narrow the patterns or add @OnJob('${name}') to the one that is meant, then replay the dead letters.`,
      ),
    );
  }
}

/** A pipe refused the payload; the message lists why. Trying again would not help. */
export class PayloadRejectedError extends UnrecoverableError {
  override readonly code = NEST_ERROR_CODES.payloadRejected;

  constructor(
    location: SourceLocation,
    readonly violations: readonly string[],
    options: { cause: unknown },
  ) {
    super(
      printable(`Payload rejected by a pipe of ${describeLocation(location)}: ${violations.join('; ')}`),
      options,
    );
  }
}

/** A guard refused the job. Trying again would not help. */
export class JobRefusedError extends UnrecoverableError {
  override readonly code = NEST_ERROR_CODES.jobRefused;

  constructor(location: SourceLocation, options: { cause: unknown }) {
    super(
      printable(`Job refused by a guard of ${describeLocation(location)}: ${messageOf(options.cause)}`),
      options,
    );
  }
}
