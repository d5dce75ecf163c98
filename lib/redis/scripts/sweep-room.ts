import type { QueueKeys } from '../keys.js';
import type { ScriptRunner } from '../script-runner.js';
import { readSweepStep } from './lib/sweep-step.js';
import type { SweepStep, SweepStepOptions } from './lib/sweep-step.js';
import type { RoomPart } from './read-room.js';

export interface SweepRoomOptions extends SweepStepOptions {
  part: RoomPart;
  /** `next` of the step before; undefined = begin. */
  from: string | undefined;
  /** Only jobs that were added before this time, in unix ms; undefined = all. */
  before: number | undefined;
  /** Only jobs that came into the room with this number or before: `number` of begin-sweep. */
  number: string;
}

/** Removes jobs from a slice of one part of the room. */
export async function sweepRoom(
  runner: ScriptRunner,
  keys: QueueKeys,
  { part, from = '', before, number, most, withIds, eventsCap, call }: SweepRoomOptions,
): Promise<SweepStep> {
  const [name, group] = typeof part === 'string' ? [part, ''] : ['group', part.group];
  const args = [name, from, before ?? '', number, most, withIds ? '1' : '', eventsCap, group];
  return readSweepStep(await runner.run('sweep-room', keys, args, { call }));
}
