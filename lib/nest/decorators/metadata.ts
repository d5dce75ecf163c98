/** A class, concrete or abstract, as a decorator gets it. */
export type AnyClass = abstract new (...args: never[]) => object;

/** Adds a value to the list that a method decorator keeps on the method, so that it can be used more than once. */
export function appendToMethod(key: string, value: unknown): MethodDecorator {
  return (_target, _name, descriptor: PropertyDescriptor) => {
    const method = descriptor.value as object;
    const list = (Reflect.getOwnMetadata(key, method) as unknown[] | undefined) ?? [];
    // Decorators are applied from the bottom up; the list is in the order in which they are written.
    Reflect.defineMetadata(key, [value, ...list], method);
  };
}
