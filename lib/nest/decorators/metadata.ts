import { ConfigTypeError } from '../../engine/base/errors.js';

/** A class, concrete or abstract, as a decorator receives it. */
export type AnyClass = abstract new (...args: never[]) => object;

/**
 * Adds a value to the list that a class decorator keeps on the class, so that a class can have the decorator more than
 * once. A subclass with the decorator has its own list.
 */
export function appendToClass(key: string, value: unknown): ClassDecorator {
  return (target) => {
    append(key, value, target);
  };
}

/**
 * Adds a value to the list that a method decorator keeps on the method, so that a method can have the decorator more than
 * once.
 * @throws ConfigTypeError (CMQ-004) if the target is not a method of an instance, because nothing would call it
 */
export function appendToMethod(decorator: string, key: string, value: unknown): MethodDecorator {
  return (target, name, descriptor: PropertyDescriptor | undefined) => {
    const problem = problemOf(target, name, descriptor);
    if (problem !== undefined)
      throw new ConfigTypeError(`${decorator} on ${nameOf(target, name)}: ${problem}`);
    append(key, value, descriptor?.value as object);
  };
}

function append(key: string, value: unknown, target: object): void {
  const list = (Reflect.getOwnMetadata(key, target) as unknown[] | undefined) ?? [];
  // Decorators run from the bottom up. The list has the order in which they are written.
  Reflect.defineMetadata(key, [value, ...list], target);
}

function problemOf(
  target: unknown,
  name: unknown,
  descriptor: PropertyDescriptor | undefined,
): string | undefined {
  // Standard decorators get a function and a context.
  if (typeof name === 'object') {
    return 'this decorator, like the decorators of Nest, needs "experimentalDecorators": true in the compiler options.';
  }
  if (typeof name === 'symbol') return 'give the method a string as its name; Nest does not find symbols.';
  if (typeof target === 'function') return 'it is static, and only methods of an instance are called.';
  if (typeof descriptor?.value === 'function') return undefined;
  const what = descriptor ? 'a getter or setter' : 'a property';
  return `it is ${what}, and only methods are called. Make it a method.`;
}

function nameOf(target: unknown, name: unknown): string {
  if (typeof name === 'object') return String((name as { readonly name: string | symbol }).name);
  const className = typeof target === 'function' ? target.name : (target as object).constructor.name;
  return `${className}.${(name as string | symbol).toString()}`;
}
