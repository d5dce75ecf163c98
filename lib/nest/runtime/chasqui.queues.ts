import { Injectable } from '@nestjs/common';
import { checkQueueName, checkText } from '../../engine/config/check-arguments.js';
import { nearestKey } from '../../engine/config/nearest-key.js';
import { ConfigError, type Queue } from '../../engine/index.js';
import { DEFAULT_CONNECTION } from '../constants.js';
import { ConnectionNotRegisteredError } from '../errors.js';
import type { ChasquiQueueOptions } from '../module-options.js';
import { checkRegisterOptions } from '../option-schemas.js';
import { ConnectionRegistry } from './connection.registry.js';
import { QueueRegistration } from './queue.registration.js';
import { QueueRegistry } from './queue.registry.js';

/** The queues of the application by name. It can also register queues whose names are known only at run time. */
@Injectable()
export class ChasquiQueues {
  constructor(
    private readonly registry: QueueRegistry,
    private readonly connections: ConnectionRegistry,
  ) {}

  get names(): readonly string[] {
    return this.registry.all().map(({ name }) => name);
  }

  /**
   * Returns the queue with this name. If it was closed, returns a new one.
   * @throws ConfigError (CMQ-004) if no queue with this name is registered; ShutdownError (CMQ-005) after the application
   * has stopped
   */
  get<Data = unknown, Result = unknown, Name extends string = string>(
    name: string,
  ): Queue<Data, Result, Name> {
    checkText('ChasquiQueues.get: the name of the queue', name);
    const registration = this.registry.get(name);
    if (registration) return this.registry.open(registration) as Queue<Data, Result, Name>;
    const nearest = nearestKey(name, this.names);
    throw new ConfigError(
      `No queue "${name}" is registered.${nearest === undefined ? '' : ` Did you mean "${nearest}"?`} ` +
        'Import ChasquiModule.forFeature, or call ChasquiQueues.register first.',
    );
  }

  /**
   * Registers a queue while the application runs, with the connection and the defaults of `forRoot`. The queue closes with
   * the application. If the name is registered already with the same options, returns the same queue, or a new one if that
   * queue was closed.
   * @throws DuplicateQueueError (CMQ-301), ConnectionNotRegisteredError (CMQ-302), ConfigError (CMQ-004); ShutdownError
   * (CMQ-005) after the application has stopped
   */
  register<Data = unknown, Result = unknown, Name extends string = string>(
    options: Omit<ChasquiQueueOptions, 'isGlobal'>,
  ): Queue<Data, Result, Name> {
    const checked = checkRegisterOptions('ChasquiQueues.register', options);
    const { name, connectionName = DEFAULT_CONNECTION, ...given } = checked;
    checkQueueName(given.queueName ?? name);
    const connection = this.connections.get(connectionName);
    if (!connection && given.connection === undefined) {
      throw new ConnectionNotRegisteredError(connectionName, name, ['ChasquiQueues.register']);
    }
    const registration = this.registry.register(
      new QueueRegistration(name, connectionName, given, connection),
    );
    return this.registry.open(registration) as Queue<Data, Result, Name>;
  }
}
