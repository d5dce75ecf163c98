import type { QueueKeys } from '../../redis/keys.js';
import { importDeadLetters } from '../../redis/scripts/import-dead-letters.js';
import type { ImportedLetter } from '../../redis/scripts/import-dead-letters.js';
import type { DlqSelection } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import { ConfigError } from '../base/errors.js';
import { readDeadLetters } from './dead-letters.js';
import { toDlqEntry } from './dlq.js';
import type { DlqEntry } from './dlq.js';

/** A dead letter as a reader sees it, and all that Redis has of it. */
export interface ArchivedLetter {
  readonly entry: DlqEntry;
  /** Names and values of its fields, flat. */
  readonly fields: readonly Buffer[];
}

/** Bounds of one call. A dead letter with more bytes has a call of its own. */
const LETTERS_PER_CALL = 200;
const BYTES_PER_CALL = 1_000_000;
/** The worker keeps 4,000 fields and values of an entry, and adds twelve. */
const MAX_FIELDS = 4_012;

/** Pages of the selected dead letters, oldest first, with all of their bytes. The last page may go beyond the limit. */
export async function* exportDlq(
  link: CommandLink,
  keys: QueueKeys,
  selection: DlqSelection,
  limit = Infinity,
): AsyncGenerator<ArchivedLetter[]> {
  for await (const page of readDeadLetters(link, keys, selection, limit)) {
    yield page.map((letter) => ({ entry: toDlqEntry(letter), fields: letter[1] }));
  }
}

/**
 * Adds dead letters that were exported, in their order. Each keeps its id if the DLQ has had no later one.
 * @returns how many were added
 * @throws ConfigError (CMQ-004) for a dead letter without fields, or with too many
 */
export async function importDlq(
  link: CommandLink,
  keys: QueueKeys,
  letters: readonly ImportedLetter[],
): Promise<number> {
  for (const { fields } of letters) {
    if (fields.length === 0 || fields.length % 2 === 1 || fields.length > MAX_FIELDS) {
      throw new ConfigError(
        `importDlq: a dead letter must have 1 to ${String(MAX_FIELDS / 2)} fields, each with a value.`,
      );
    }
  }
  let added = 0;
  for (let at = 0; at < letters.length;) {
    const page: ImportedLetter[] = [];
    for (let bytes = 0; at < letters.length && page.length < LETTERS_PER_CALL; at++) {
      const letter = letters[at] as ImportedLetter;
      bytes += letter.fields.reduce((sum, field) => sum + field.length, 0);
      if (page.length > 0 && bytes > BYTES_PER_CALL) break;
      page.push(letter);
    }
    added += (await importDeadLetters(link, keys, page)).length;
  }
  return added;
}
