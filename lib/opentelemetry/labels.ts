import { printable } from '../engine/base/printable.js';
import { readProperty } from '../engine/base/safe-access.js';

const MAX_CHARACTERS = 64;
const UNNAMED = '_unnamed';
const OTHER = '_other';

/** A text from outside as a label: short, and on one line. */
export function labelOf(text: string): string {
  if (text === '') return UNNAMED;
  return cut(printable(cut(text)));
}

function cut(text: string): string {
  return text.length > MAX_CHARACTERS ? text.slice(0, MAX_CHARACTERS).replace(/[\ud800-\udbff]$/, '') : text;
}

/** One value for each of the first names that come, and one for all others, so that labels stay few whatever names come. */
export class NameTable<T> {
  readonly #most: number;
  readonly #make: (label: string) => T;
  readonly #byName = new Map<string, T>();
  #other: T | undefined;
  /** Most jobs in a row have the same name. */
  #lastName: string | undefined;
  #last: T | undefined;

  constructor(most: number, make: (label: string) => T) {
    this.#most = most;
    this.#make = make;
  }

  of(name: string): T {
    if (name === this.#lastName) return this.#last as T;
    this.#lastName = name;
    return (this.#last = this.#find(name));
  }

  /** All values, in the order in which their names came. */
  *values(): Iterable<T> {
    yield* this.#byName.values();
    if (this.#other !== undefined) yield this.#other;
  }

  #find(name: string): T {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    if (this.#byName.size >= this.#most) return (this.#other ??= this.#make(OTHER));
    const made = this.#make(labelOf(name));
    this.#byName.set(name, made);
    return made;
  }
}

/** A class of errors for `error.type`: the code of an error of this package, or else the name of the error. */
export function errorTypeOf(error: unknown): string {
  const code = readProperty(error, 'code');
  if (typeof code === 'string' && code.startsWith('CMQ-')) return code;
  const name = readProperty(error, 'name');
  if (typeof name === 'string' && name !== '') return labelOf(name);
  return error === null ? 'null' : typeof error;
}
