import { ConfigurableModuleBuilder } from '@nestjs/common';
import { DEFAULT_CONNECTION } from '../constants.js';
import type { ChasquiModuleExtras, ChasquiModuleOptions } from '../module-options.js';
import { checkRootOptions } from '../option-schemas.js';
import { ConnectionRegistry } from '../runtime/connection.registry.js';
import { RegisteredConnection } from '../runtime/registered-connection.js';
import { getConnectionToken } from '../tokens.js';

const OPTIONS = Symbol('ChasquiModuleOptions');

/** Defines `forRoot` and `forRootAsync`. */
export const { ConfigurableModuleClass: ConnectionModuleClass } =
  new ConfigurableModuleBuilder<ChasquiModuleOptions>({ optionsInjectionToken: OPTIONS })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createChasquiOptions')
    .setExtras<ChasquiModuleExtras>({ name: DEFAULT_CONNECTION, isGlobal: true }, (definition, extras) => {
      const { name = DEFAULT_CONNECTION, isGlobal = true } = extras;
      const token = getConnectionToken(name);
      const connection = {
        provide: token,
        inject: [OPTIONS, ConnectionRegistry],
        useFactory: (options: ChasquiModuleOptions, registry: ConnectionRegistry) =>
          registry.register(new RegisteredConnection(name, checkRootOptions(name, options))),
      };
      return {
        ...definition,
        global: isGlobal,
        providers: [...(definition.providers ?? []), connection],
        exports: [token],
      };
    })
    .build();
