import { ChasquiError, messageOf, UnrecoverableError } from '../engine/index.js';
import { printable } from '../engine/base/printable.js';
import { describeLocation, listOf, type SourceLocation } from './source-location.js';

/** Codes of the Nest module. CMQ-300 to 319 stop the boot. Codes from CMQ-320 on fail a job. */
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

/** Base class of the errors that stop the boot. The message names the class, the method and the queue. */
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

/** The application registers one queue twice, with different options. */
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
        'Register it once, in a module that exports ChasquiModule, or pass the same options each time.',
    );
  }
}

/** A queue uses a connection that no `forRoot` registers. */
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
        `Import ChasquiModule.forRoot({ ${name}connection: … }) in your root module. ` +
        'If that connection has isGlobal: false, add its module to the imports of forFeatureAsync.',
    );
  }
}

/** Two `forRoot` calls have the same connection name. */
export class DuplicateConnectionError extends WiringError {
  readonly code = NEST_ERROR_CODES.duplicateConnection;

  constructor(
    readonly connection: string,
    modules: readonly string[],
  ) {
    super(
      `The connection "${connection}" is registered more than once, by the imports of ${listOf(modules)}. ` +
        'Import ChasquiModule.forRoot() once. Give each additional connection its own name: forRoot({ name, connection }).',
    );
  }
}

/** A job name of a queue has two handlers. */
export class DuplicateHandlerError extends WiringError {
  readonly code = NEST_ERROR_CODES.duplicateHandler;

  constructor(
    readonly queue: string,
    what: string,
    locations: readonly SourceLocation[],
  ) {
    super(
      `The queue "${queue}" has more than one handler for ${what}: ${listOf(locations.map(describeLocation))}. ` +
        'Keep one of them. A class that two modules provide counts twice.',
    );
  }
}

/** The processors of a queue have no handler. */
export class NoHandlerError extends WiringError {
  readonly code = NEST_ERROR_CODES.noHandler;

  constructor(
    readonly queue: string,
    locations: readonly SourceLocation[],
  ) {
    super(
      `${listOf(locations.map(describeLocation))} ${locations.length === 1 ? 'is a processor' : 'are processors'} of the queue "${queue}" ` +
        "without a handler: every job would become a dead letter. Put @OnJob('<job name>') or @OnJob() on a method.",
    );
  }
}

/** A method decorator is on a class that lacks the matching class decorator. */
export class MisplacedDecoratorError extends WiringError {
  readonly code = NEST_ERROR_CODES.misplacedDecorator;

  constructor(decorator: string, location: SourceLocation, classDecorator: string) {
    super(
      `${decorator} on ${describeLocation(location)} has no effect: the class has no ${classDecorator}. Put ${classDecorator} on ${location.className}.`,
    );
  }
}

/** The classes that share a worker or a subscription set different values of one option. */
export class ConflictingOptionsError extends WiringError {
  readonly code = NEST_ERROR_CODES.conflictingOptions;

  constructor(
    readonly queue: string,
    readonly option: string,
    decorator: string,
    demands: readonly { readonly location: SourceLocation; readonly value: string }[],
  ) {
    const list = demands.map(({ location, value }) => `${describeLocation(location)} has ${value}`);
    super(
      `The classes with ${decorator} for the queue "${queue}" share one set of options, but they have different values of "${option}": ${listOf(list)}. ` +
        'Give all of them the same value.',
    );
  }
}

/** A decorator has an invalid argument, such as an event that does not exist. */
export class InvalidDecoratorError extends WiringError {
  readonly code = NEST_ERROR_CODES.invalidDecorator;

  constructor(decorator: string, location: SourceLocation, problem: string, options?: { cause?: unknown }) {
    super(`${decorator} on ${describeLocation(location)}: ${problem}`, options);
  }
}

/**
 * Nest would silently leave out a guard, pipe, interceptor or filter. It is bound as a class, to a class that is provided
 * as a value or by a factory.
 */
export class UnboundEnhancerError extends WiringError {
  readonly code = NEST_ERROR_CODES.unboundEnhancer;

  constructor(kind: string, enhancer: string, location: SourceLocation) {
    super(
      `The ${kind} ${enhancer} on ${describeLocation(location)} would never run. Nest creates enhancers only for classes that it ` +
        `instantiates itself, and ${location.className} is provided in another way (useValue, useFactory or, in older versions of Nest, useClass). ` +
        `Put the class ${location.className} itself into the providers, or bind an instance: new ${enhancer}(…).`,
    );
  }
}

/** The context creator of this version of Nest works in an unknown way. Enhancers would be left out silently. */
export class UnknownNestError extends WiringError {
  readonly code = NEST_ERROR_CODES.unknownNest;

  constructor(location: SourceLocation) {
    super(
      `The guards, pipes, interceptors and filters of ${describeLocation(location)} cannot be resolved with this version of ` +
        '@nestjs/core. Use the previous version of Nest, or a newer version of nestjs-chasqui.',
    );
  }
}

/** No handler matches the name of a job. The job becomes a dead letter that you can replay. */
export class UnhandledJobError extends UnrecoverableError {
  override readonly code = NEST_ERROR_CODES.unhandledJob;

  constructor(queue: string, name: string, handled: readonly string[], nearest: string | undefined) {
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    super(
      printable(
        `No handler for the job name "${name}" of the queue "${queue}".${hint} ` +
          `There are handlers for ${listOf(handled)}. Add @OnJob('${name}') or a catch-all @OnJob(), then replay the dead letters.`,
      ),
    );
  }
}

/** The patterns of several handlers match the name of a job. */
export class AmbiguousJobError extends UnrecoverableError {
  override readonly code = NEST_ERROR_CODES.ambiguousJob;

  constructor(queue: string, name: string, locations: readonly SourceLocation[]) {
    super(
      printable(
        `Several handlers match the job name "${name}" of the queue "${queue}": ${listOf(locations.map(describeLocation))}. ` +
          `Narrow the patterns, or add @OnJob('${name}') to one handler. Then replay the dead letters.`,
      ),
    );
  }
}

/** A pipe refused the payload, and the message lists why. A retry cannot help. */
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

/** A guard refused the job. A retry cannot help. */
export class JobRefusedError extends UnrecoverableError {
  override readonly code = NEST_ERROR_CODES.jobRefused;

  constructor(location: SourceLocation, options: { cause: unknown }) {
    super(
      printable(`Job refused by a guard of ${describeLocation(location)}: ${messageOf(options.cause)}`),
      options,
    );
  }
}
