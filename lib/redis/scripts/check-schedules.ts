import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';

/** A schedule as the caller knows it. */
export interface KnownSchedule {
  readonly key: string;
  /** Digest of all fields. */
  readonly revision: string;
}

/** A definition other than the one that the caller knows. */
export interface StoredDefinition {
  /** Digest of the fields that say when it fires; '' if another program wrote it. */
  schedule: string;
  /** Digest of all fields; '' if another program wrote it. */
  revision: string;
  fields: readonly (readonly [field: string, value: Buffer])[];
}

/** `lost`: it is not there, and nobody removed it. `gone`: somebody removed it, or it is over. */
export type ScheduleState =
  | {
      state: 'present';
      /** Unix ms. Of a paused schedule: the slot that it was to fire. */
      next: number;
      /** Since when it is paused, in unix ms; undefined = it is not. */
      pausedMs: number | undefined;
      /** How often it has fired. */
      fired: number;
      /** When this definition was stored first, in unix ms. */
      storedMs: number;
      /** If the revision is another one than the caller's: what is stored. */
      other: StoredDefinition | undefined;
    }
  | { state: 'lost' }
  | { state: 'gone' }
  /** Its definition is another one, and did not fit into this reply. */
  | { state: 'unread' };

type Row = [
  state: 2 | 1 | 0 | -1,
  next: Buffer,
  fired: Buffer,
  stored: Buffer,
  paused: Buffer,
  ...fields: Buffer[],
];

const STATES = { 2: 'unread', 0: 'lost', [-1]: 'gone' } as const;

/** Checks schedules: whether they are there, and whether their definition is still the one that the caller knows. */
export async function checkSchedules(
  runner: ScriptRunner,
  keys: QueueKeys,
  known: readonly KnownSchedule[],
): Promise<ScheduleState[]> {
  const args = known.flatMap(({ key, revision }) => [key, revision]);
  const rows = (await runner.run('check-schedules', keys, args, { buffers: true })) as Row[];
  return rows.map(([state, next, fired, stored, paused, ...fields]) => {
    if (state !== 1) return { state: STATES[state] };
    return {
      state: 'present',
      next: Number(next),
      pausedMs: paused.length === 0 ? undefined : Number(paused),
      fired: Number(fired),
      storedMs: Number(stored),
      other: fields.length > 0 ? definitionOf(fields) : undefined,
    };
  });
}

/** Fields that the script which stores a schedule adds itself. */
const ADDED = new Set(['schedule', 'revision', 'fired', 'stored', 'owed', 'paused', 'slot']);

function definitionOf(reply: readonly Buffer[]): StoredDefinition {
  const all = new Map<string, Buffer>();
  for (let i = 0; i < reply.length; i += 2) all.set(String(reply[i]), reply[i + 1] as Buffer);
  return {
    schedule: String(all.get('schedule') ?? ''),
    revision: String(all.get('revision') ?? ''),
    fields: [...all].filter(([field]) => !ADDED.has(field)),
  };
}
