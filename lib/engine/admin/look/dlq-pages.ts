import type { QueueKeys } from '../../../redis/keys.js';
import type { ScriptRunner } from '../../../redis/script-runner.js';
import { readDeadLetters } from '../../../redis/scripts/read-dead-letters.js';
import type { DlqPageOptions } from '../../config/options.js';
import { filterOf, rangeOf } from '../dead-letters.js';
import { toDlqEntry } from '../dlq.js';
import type { DlqEntry } from '../dlq.js';
import { positionOf, toCursor } from './cursor.js';
import type { ListIdentity } from './cursor.js';
import { LETTER_STEP } from './step.js';

/** A page of dead letters. */
export interface DlqPage {
  entries: DlqEntry[];
  /** Pass it as `after` to read on. Undefined at the end. */
  next: string | undefined;
}

const DEFAULT_LIMIT = 50;
/** The most calls for one page: a rare filter then ends the page early. */
const MOST_STEPS = 133;
/** About how many bytes of dead letters a page has. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Reads a page of dead letters. It is short if the filter is rare, or if the dead letters are large. */
export async function readDlqPage(
  runner: ScriptRunner,
  keys: QueueKeys,
  options: DlqPageOptions,
): Promise<DlqPage> {
  const { order = 'newest', after, limit = DEFAULT_LIMIT } = options;
  const list = identityOf(keys, order, options);
  const { from, to } = rangeOf(options);
  const [first, last] = order === 'newest' ? [to, from] : [from, to];
  const filter = filterOf(options);
  const entries: DlqEntry[] = [];
  let at: string | undefined = after === undefined ? first : `(${positionOf(list, after, 'getDlq')}`;
  for (
    let step = 0, bytes = 0;
    step < MOST_STEPS && entries.length < limit && bytes < MOST_BYTES;
    step += 1
  ) {
    const take = limit - entries.length;
    const slice = await readDeadLetters(runner, keys, {
      ...LETTER_STEP,
      from: at,
      to: last,
      order,
      take,
      filter,
    });
    for (const letter of slice.letters) {
      entries.push(toDlqEntry(letter));
      bytes += letter[1].reduce((sum, value) => sum + value.length, 0);
    }
    at = slice.next;
    if (at === undefined) return { entries, next: undefined };
  }
  // The position is the id that the next page begins behind.
  return { entries, next: toCursor(list, at.slice(1)) };
}

/** Up to `limit` dead letters, oldest first. */
export async function peekDlq(runner: ScriptRunner, keys: QueueKeys, limit: number): Promise<DlqEntry[]> {
  const entries: DlqEntry[] = [];
  let after: string | undefined;
  while (entries.length < limit) {
    const page = await readDlqPage(runner, keys, {
      order: 'oldest',
      limit: Math.min(1_000, limit - entries.length),
      ...(after !== undefined && { after }),
    });
    entries.push(...page.entries);
    after = page.next;
    if (after === undefined) break;
  }
  return entries;
}

function identityOf(keys: QueueKeys, order: string, options: DlqPageOptions): ListIdentity {
  const { name, reason, text, since, until } = options;
  return [
    keys.queue,
    order,
    name,
    reason,
    text,
    since === undefined ? undefined : Number(since),
    until === undefined ? undefined : Number(until),
  ];
}
