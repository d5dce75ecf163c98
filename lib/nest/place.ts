/** Where something was declared, for error messages. */
export interface Place {
  readonly className: string;
  readonly methodName?: string;
  readonly moduleName: string;
}

/** `WelcomeProcessor.send (MailModule)` */
export function describePlace({ className, methodName, moduleName }: Place): string {
  const name = methodName === undefined ? className : `${className}.${methodName}`;
  return `${name} (${moduleName})`;
}

/** `A`, `A and B`, `A, B and C` */
export function listOf(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1) ?? ''}`;
}
