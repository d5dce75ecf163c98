/**
 * Names each error class of a module as the module exports it. A bundler renames classes, and without this, logs and
 * checks of `error.name` would see `a` or `UnrecoverableError2`.
 */
export function nameErrors(module: object): void {
  for (const [name, value] of Object.entries(module) as [string, unknown][]) {
    if (typeof value === 'function' && value.prototype instanceof Error) {
      Object.defineProperty(value, 'name', { value: name, configurable: true });
    }
  }
}
