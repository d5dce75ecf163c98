import { createHash } from 'node:crypto';
import { CursorError } from '../../base/errors.js';

/** The list that a cursor belongs to: everything that decides what is in it, and in which order. */
export type ListIdentity = readonly (string | number | undefined)[];

const VERSION = '1';

/** A position in a list, as text that callers pass back. `position` is the id of the last entry that was looked at. */
export function toCursor(list: ListIdentity, position: string): string {
  return Buffer.from(`${VERSION}.${fingerprint(list)}.${position}`).toString('base64url');
}

/**
 * The position in a cursor.
 * @throws CursorError (CMQ-109) for text that is no cursor, and for a cursor of another list
 */
export function positionOf(list: ListIdentity, cursor: unknown, method: string): string {
  const text = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : '';
  const parts = /^(\d+)\.([\da-f]{16})\.(\d{1,20}-\d{1,20})$/.exec(text);
  if (parts?.[1] !== VERSION) {
    throw new CursorError(
      `${method}: "after" is not a cursor of this version. Pass "next" of the page before, unchanged, or leave "after" out to begin again.`,
    );
  }
  if (parts[2] !== fingerprint(list)) {
    throw new CursorError(
      `${method}: the cursor in "after" belongs to another queue, order or filter. Pass the options of the call that returned it, or leave "after" out to begin again.`,
    );
  }
  return parts[3] as string;
}

function fingerprint(list: ListIdentity): string {
  // JSON writes undefined in an array as null.
  return createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 16);
}
