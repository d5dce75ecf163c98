/** Where a decorator stands, for error messages. */
export interface SourceLocation {
  readonly className: string;
  readonly methodName?: string;
  readonly moduleName: string;
}

/** `WelcomeProcessor.send (MailModule)` */
export function describeLocation({ className, methodName, moduleName }: SourceLocation): string {
  const name = methodName === undefined ? className : `${className}.${methodName}`;
  return `${name} (${moduleName})`;
}

/** `A`, `A and B`, `A, B and C` */
export function listOf(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1) ?? ''}`;
}
