/**
 * Controls (C0, C1, DEL), line and paragraph separators, and characters that change the direction of text. A terminal or
 * a log viewer interprets them instead of showing them.
 */
// eslint-disable-next-line no-control-regex -- finding them is its purpose
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const EACH_UNSAFE = new RegExp(UNSAFE, 'g');

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Escapes a text for a log, a terminal or the message of an error. Characters that would start a new line, move the
 * cursor, change colors or change the direction of the text become escapes (`\n`, `\x1b`, `\u202e`). Use it for all text
 * that a producer of jobs controls: ids, names, data, the text of errors.
 */
export function printable(text: string): string {
  return UNSAFE.test(text) ? text.replace(EACH_UNSAFE, escape) : text;
}

function escape(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
