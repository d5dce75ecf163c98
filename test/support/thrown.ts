import { expect } from 'vitest';

// Values that are hard to report when a handler throws them.

export const boom = (): never => {
  throw new Error('on access');
};

/** A proxy that throws whatever is done with it. */
export function hostile(target: object = {}): object {
  const traps = Reflect.ownKeys(Reflect) as (keyof typeof Reflect)[];
  return new Proxy(target, Object.fromEntries(traps.map((trap) => [trap, boom])));
}

export function withMessage(message: unknown, made = 'as it was made'): Error {
  const error = new Error(made);
  // The stack is made when it is read first, and would have the other message later.
  expect(error.stack).toContain(made);
  return Object.defineProperty(error, 'message', { value: message });
}

/** An error whose every property throws when it is read. */
export class Getters extends Error {
  override get message(): string {
    return boom();
  }
  override get name(): string {
    return boom();
  }
  override get stack(): string {
    return boom();
  }
  get code(): string {
    return boom();
  }
  override get cause(): unknown {
    return boom();
  }
}
