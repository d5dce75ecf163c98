import { ConfigurableModuleBuilder } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { DEFAULT_CONNECTION } from '../constants.js';
import { ConnectionNotRegisteredError } from '../errors.js';
import { importersOf } from '../importers.js';
import type { ChasquiFeatureExtras, ChasquiFeatureOptions } from '../module-options.js';
import { checkFeatureOptions } from '../option-schemas.js';
import { QueueRegistration } from '../runtime/queue.registration.js';
import { QueueRegistry } from '../runtime/queue.registry.js';
import { RegisteredConnection } from '../runtime/registered-connection.js';
import { THREAD_ROLE, type ThreadRole } from '../threads/thread-role.js';
import { getConnectionToken, getQueueToken } from '../tokens.js';

const OPTIONS = Symbol('ChasquiQueueOptions');
const REGISTRATION = Symbol('ChasquiQueueRegistration');

/** Defines `forFeature` and `forFeatureAsync` for one queue. */
export const { ConfigurableModuleClass: QueueModuleClass } =
  new ConfigurableModuleBuilder<ChasquiFeatureOptions>({ optionsInjectionToken: OPTIONS })
    .setClassMethodName('forFeature')
    .setFactoryMethodName('createQueueOptions')
    .setExtras<ChasquiFeatureExtras>(
      { name: '', connectionName: DEFAULT_CONNECTION, isGlobal: false },
      (definition, { name, connectionName = DEFAULT_CONNECTION, isGlobal = false }) => {
        const token = getQueueToken(name);
        // A provider apart from the queue itself: a test that replaces the queue with a fake still registers it.
        const registration = {
          provide: REGISTRATION,
          inject: [
            OPTIONS,
            QueueRegistry,
            ModulesContainer,
            { token: getConnectionToken(connectionName), optional: true },
            { token: THREAD_ROLE, optional: true },
          ],
          useFactory: (
            options: ChasquiFeatureOptions,
            registry: QueueRegistry,
            modules: ModulesContainer,
            given: RegisteredConnection | undefined,
            thread: ThreadRole | undefined,
          ) => {
            const connection = given ?? connectionIn(thread, connectionName);
            const feature = checkFeatureOptions(name, options);
            if (!connection && feature.connection === undefined) {
              throw new ConnectionNotRegisteredError(connectionName, name, importersOf(token, modules));
            }
            return registry.register(new QueueRegistration(name, connectionName, feature, connection));
          },
        };
        const queue = {
          provide: token,
          inject: [REGISTRATION, QueueRegistry],
          useFactory: (registered: QueueRegistration, registry: QueueRegistry) => registry.open(registered),
        };
        return {
          ...definition,
          global: isGlobal,
          providers: [...(definition.providers ?? []), registration, queue],
          exports: [token],
        };
      },
    )
    .build();

/** One object for each connection, so that its queues share it. */
const inThreads = new WeakMap<object, RegisteredConnection>();

/** In a thread, the connection of the application serves a module that has no `forRoot` itself. */
function connectionIn(thread: ThreadRole | undefined, name: string): RegisteredConnection | undefined {
  const options = thread?.connections[name];
  if (!options) return undefined;
  const known = inThreads.get(options) ?? new RegisteredConnection(name, options);
  inThreads.set(options, known);
  return known;
}
