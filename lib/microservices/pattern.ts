import { messageOf } from '../engine/index.js';
import { checkJobName } from '../engine/config/check-arguments.js';
import { InvalidPatternError } from './errors.js';

/**
 * The name of the jobs for a pattern.
 *
 * @param route the result of Nest's `normalizePattern`: text, or the pattern itself if Nest cannot turn it into text
 * @throws InvalidPatternError
 */
export function toJobName(route: unknown): string {
  if (typeof route !== 'string' || route === '') {
    throw new InvalidPatternError(route === '' ? 'it is empty.' : `it is of type ${typeof route}.`);
  }
  try {
    checkJobName(route);
  } catch (error) {
    throw new InvalidPatternError(messageOf(error), { cause: error });
  }
  return route;
}
