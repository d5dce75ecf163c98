/** How much of one value the board shows, in characters of JSON. */
export const LIST_CHARACTERS = 4_000;
export const DETAIL_CHARACTERS = 100_000;

const MOST_LEVELS = 100;
const MOST_BYTES = 32;
/** What a value costs beside its text: quotes, commas, indentation. */
const OVERHEAD = 4;

/** These brackets mark what the board says about a value that it cannot show as it is. */
const OPEN = '⟦';
const CLOSE = '⟧';
const NOTE = /⟦[^⟦⟧]*⟧$/;

/** A value as JSON can show it. */
export interface Shown {
  readonly value: unknown;
  /** The value is the same in JSON. False: a note stands for it, or for a part of it. */
  readonly isExact: boolean;
}

/** What stands for data that cannot be decoded. */
export const UNDECODABLE: Shown = { value: note('these bytes cannot be decoded'), isExact: false };

/** The most bytes of a job that are shown, if they cannot be decoded. */
const MOST_RAW = 256;

/** What stands for the data of a job that cannot be decoded: its first bytes, as text and in hex. */
export function rawText(bytes: Uint8Array): string {
  if (bytes.length === 0) return note('these bytes cannot be decoded: there are none');
  const first = Buffer.from(bytes.subarray(0, MOST_RAW));
  const more = bytes.length > MOST_RAW ? ' …' : '';
  // Anything else could end the note, or be hidden in it.
  const text = first.toString('latin1').replaceAll(/[^ -~]/g, '·');
  const hex = first.toString('hex').replaceAll(/..(?=.)/g, '$& ');
  return note(
    `these bytes cannot be decoded: ${String(bytes.length)} bytes, as text: ${text}${more}, in hex: ${hex}${more}`,
  );
}

function note(text: string): string {
  return `${OPEN}${text}${CLOSE}`;
}

/**
 * Whether a note of the board is anywhere in the data. Such data is what a form of the board was filled with, and not what
 * the job has.
 */
export function hasNote(data: unknown): boolean {
  if (typeof data === 'string') return NOTE.test(data);
  if (typeof data !== 'object' || data === null) return false;
  return Object.entries(data).some(([key, value]) => NOTE.test(key) || hasNote(value));
}

/**
 * Turns decoded data into JSON of at most about so many characters. What JSON does not have (bytes, dates, bigints, NaN) and
 * what is left out become notes in brackets: `⟦Buffer, 3 bytes: 01 02 ff⟧`.
 */
export function shown(value: unknown, characters: number): Shown {
  const view = new View(characters);
  return { value: view.show(value, 0), isExact: view.isExact };
}

class View {
  isExact = true;
  #left: number;

  constructor(characters: number) {
    this.#left = characters;
  }

  show(value: unknown, level: number): unknown {
    this.#left -= OVERHEAD;
    switch (typeof value) {
      case 'string':
        return this.#text(value);
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0) ? value : this.#note(numberText(value));
      case 'boolean':
        return value;
      case 'undefined':
        return this.#note('undefined');
      case 'bigint':
        return this.#note(`bigint ${value.toString()}`);
      case 'object':
        return value === null ? null : this.#object(value, level);
      default:
        return this.#note(typeof value);
    }
  }

  #object(value: object, level: number): unknown {
    if (value instanceof Uint8Array) return this.#note(bytesText(value));
    if (value instanceof Date) return this.#note(dateText(value));
    if (value instanceof Map) return this.#note(`Map of ${String(value.size)}`);
    if (value instanceof Set) return this.#note(`Set of ${String(value.size)}`);
    if (level === MOST_LEVELS) return this.#note('deeper levels are left out');
    return Array.isArray(value) ? this.#array(value, level) : this.#fields(value, level);
  }

  #array(values: readonly unknown[], level: number): unknown[] {
    const list: unknown[] = [];
    for (const value of values) {
      if (this.#left <= 0) {
        list.push(this.#note(`${String(values.length - list.length)} more elements`));
        break;
      }
      list.push(this.show(value, level + 1));
    }
    return list;
  }

  #fields(value: object, level: number): object {
    const fields = Object.entries(value);
    const kept: [string, unknown][] = [];
    for (const [key, field] of fields) {
      if (this.#left <= 0) {
        kept.push([this.#note('left out'), `${String(fields.length - kept.length)} more fields`]);
        break;
      }
      kept.push([this.#text(key), this.show(field, level + 1)]);
    }
    // Defines own fields: a key may be `__proto__`.
    return Object.fromEntries(kept);
  }

  #text(text: string): string {
    const room = Math.max(0, this.#left);
    this.#left -= text.length;
    if (text.length <= room) return text;
    this.#left = 0;
    return text.slice(0, room) + this.#note(`${String(text.length - room)} more characters`);
  }

  #note(text: string): string {
    this.isExact = false;
    this.#left -= text.length;
    return note(text);
  }
}

function numberText(value: number): string {
  return Object.is(value, -0) ? 'number -0' : `number ${String(value)}`;
}

function dateText(date: Date): string {
  return `Date ${Number.isNaN(date.getTime()) ? 'invalid' : date.toISOString()}`;
}

function bytesText(bytes: Uint8Array): string {
  const first = [...bytes.subarray(0, MOST_BYTES)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(' ');
  const more = bytes.length > MOST_BYTES ? ' …' : '';
  return `Buffer, ${String(bytes.length)} bytes${first === '' ? '' : `: ${first}${more}`}`;
}
