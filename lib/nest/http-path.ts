import { ConfigError } from '../engine/index.js';

/** Segments of letters, digits and `-._~`, but not `.` and `..`: such a path is no pattern, and browsers do not change it. */
const PATH = /^(?!\.{1,2}(\/|$))[\w.~-]+(\/(?!\.{1,2}(\/|$))[\w.~-]+)*$/;

/**
 * The path of an HTTP route, without slashes at its ends.
 * @throws ConfigError (CMQ-004)
 */
export function checkHttpPath(owner: string, path: unknown, example: string): string {
  const trimmed = typeof path === 'string' ? path.replaceAll(/^\/+|\/+$/g, '') : '';
  if (PATH.test(trimmed)) return trimmed;
  throw new ConfigError(`${owner}: "path" must be a path of plain segments, such as "${example}".`);
}
