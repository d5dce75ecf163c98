import type { ScriptArgument } from '../../../redis/scripts.js';
import { addColumn } from '../../codec/event-batch.js';
import type { Delivery } from '../lease/delivery.js';

// What the events of jobs say, as lua/lib/batch.lua takes it.

export function startsOf(batch: readonly Delivery[]): ScriptArgument[] {
  const columns: ScriptArgument[] = [];
  addColumn(columns, 'ids', batch, ({ jobId }) => jobId);
  addColumn(columns, 'names', batch, ({ name }) => name);
  addColumn(columns, 'attempts', batch, ({ attempt }) => attempt);
  return columns;
}

export function endsOf(batch: readonly Delivery[]): ScriptArgument[] {
  const columns = startsOf(batch);
  addColumn(columns, 'durations_us', batch, ({ durationUs }) => durationUs);
  return columns;
}
