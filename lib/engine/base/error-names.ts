/**
 * Gives the error classes that a module exports the names under which it exports them. A bundler renames classes, and
 * then logs, and whoever asks for a name, would see `a` or `UnrecoverableError2`.
 */
export function nameErrors(module: object): void {
  for (const [name, value] of Object.entries(module) as [string, unknown][]) {
    if (typeof value === 'function' && value.prototype instanceof Error) {
      Object.defineProperty(value, 'name', { value: name, configurable: true });
    }
  }
}
