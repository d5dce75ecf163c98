import { isDeepStrictEqual } from 'node:util';
import { decodePayload, encodePayload } from '../../codec/payload.js';
import { isWellFormed } from '../../config/checks.js';

/** Data to look for: the value at each path must be this one. Path `''` is the data itself. */
export type DataQuery = Readonly<Record<string, unknown>>;

/** Decides whether data matches a query. */
export interface DataMatcher {
  (data: unknown): boolean;
  /** Text that is in the bytes of all jobs that match, so that Redis can leave out most others. */
  readonly texts: readonly string[];
}

/**
 * Values are compared as they arrive at a worker: a Date with a Date of the same time, arrays element by element, objects by all
 * of their fields in any order, and 1 not with '1'. A value of undefined matches where the path leads to nothing; null
 * matches null alone. In a path, a dot separates keys, and a number is the index in an array.
 * @throws EncodeError (CMQ-002) for a value that no data can have
 */
export function dataMatcher(query: DataQuery): DataMatcher {
  const conditions = Object.entries(query).map(([path, value]) => {
    const keys = path === '' ? [] : path.split('.');
    const expected = value === undefined ? undefined : decodePayload(encodePayload(value, `data.${path}`));
    return { keys, expected };
  });
  const texts = conditions.flatMap(({ keys, expected }) => {
    if (expected === undefined) return [];
    const inBytes = keys.filter((key) => !/^\d*$/.test(key) && isWellFormed(key));
    if (typeof expected === 'string' && expected !== '') inBytes.push(expected);
    return inBytes;
  });
  const matches = (data: unknown): boolean =>
    conditions.every(({ keys, expected }) => isDeepStrictEqual(valueAt(data, keys), expected));
  return Object.assign(matches, { texts });
}

function valueAt(data: unknown, keys: readonly string[]): unknown {
  let value = data;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
