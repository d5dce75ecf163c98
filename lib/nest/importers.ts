import type { DynamicModule, InjectionToken } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { NestModule } from './nest-types.js';

const OURS = 'chasqui:module';

/** Marks a module class of this package. Error messages name the module of the user that imports it instead. */
export function OwnModule(): ClassDecorator {
  return (target) => {
    Reflect.defineMetadata(OURS, true, target);
  };
}

/** Names of the user's modules that import a module of this package with a provider of this token, one name per import. */
export function importersOf(token: InjectionToken, modules: ModulesContainer): readonly string[] {
  const all = [...modules.values()];
  const holders = all.filter((module) => isOurs(module.metatype) && module.providers.has(token));
  const names = holders.flatMap((holder) =>
    // Nest adds a global module to the imports of all other modules, so only the decorators tell which module imports it.
    holder.isGlobal ? declarersOf(token, all) : importers(holder, all),
  );
  return names.length > 0 ? [...new Set(names)] : ['an unknown module'];
}

function importers(imported: NestModule, all: readonly NestModule[]): readonly string[] {
  return all
    .filter((module) => module.imports.has(imported))
    .flatMap((module) => (isOurs(module.metatype) ? importers(module, all) : [module.metatype.name]));
}

function declarersOf(token: InjectionToken, all: readonly NestModule[]): readonly string[] {
  return all
    .filter(({ metatype }) => {
      const imports = Reflect.getMetadata('imports', metatype) as unknown[] | undefined;
      return (imports ?? []).some((imported) => provides(imported, token));
    })
    .map(({ metatype }) => metatype.name);
}

function provides(module: unknown, token: InjectionToken): boolean {
  if (typeof module !== 'object' || module === null) return false;
  const { providers = [], imports = [] } = module as DynamicModule;
  return (
    providers.some((provider) => 'provide' in provider && provider.provide === token) ||
    imports.some((imported) => provides(imported, token))
  );
}

function isOurs(metatype: object): boolean {
  return Reflect.getMetadata(OURS, metatype) === true;
}
