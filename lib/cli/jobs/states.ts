import { nearestKey } from '../../engine/config/nearest-key.js';

/**
 * The jobs of a paused queue are waiting too, and those of groups. `prioritized` are those that wait with a priority and without
 * a group.
 */
export const STATES = ['waiting', 'prioritized', 'active', 'delayed', 'failed', 'completed'] as const;

/** The states that `clean` removes. */
export const CLEANED = ['completed', 'failed', 'delayed', 'waiting', 'prioritized'] as const;

/** The state of this name; `wait` is another word for `waiting`. Undefined if it is not among those that are possible. */
export function stateOf<State extends string>(text: string, possible: readonly State[]): State | undefined {
  return possible.find((state) => state === (text === 'wait' ? 'waiting' : text));
}

/** What to write instead of a state that does not exist. */
export function stateHint(text: string, possible: readonly string[]): string {
  const nearest = nearestKey(text, possible);
  return nearest === undefined ? `There are: ${possible.join(', ')}.` : `Did you mean ${nearest}?`;
}
