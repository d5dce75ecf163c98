import type { ScriptArgument } from '../../script-runner.js';

/** A batch of jobs of one worker. The script changes only those whose lease is still the worker's: see lua/lib/fence.lua. */
export interface FencedBatch {
  group: string;
  consumerId: string;
  /** The smallest and the largest entry id of the batch. */
  first: string;
  last: string;
}

/** A batch of jobs that end. */
export interface EndingBatch extends FencedBatch {
  /** The first so many jobs have had no `active` event yet. */
  unannounced: number;
  /** Where the stream may have other entries between those of the batch: see `is_contiguous` of lua/lib/fence.lua. */
  gaps: string;
  /** The queue is gated: as many idle workers are woken as jobs end. */
  isGated?: boolean;
  /** The jobs that have a group: frames of {@link packGroups}. */
  groups?: Buffer | undefined;
}

/** What the jobs of an ending batch have in common: where the id of the entry stands, in ASCII. */
export interface EntryId {
  readonly idSource: Buffer;
  readonly idFrom: number;
  readonly idTo: number;
}

/** Jobs of a batch that the script left as they were, by their index from 0. */
export interface Unsettled {
  /** The lease was no longer the caller's. */
  readonly lost: readonly number[];
  /** The job was cancelled: it is still in flight, for the caller to end. */
  readonly cancelled: readonly number[];
}

/** ARGV 1–4 of every fenced script. */
export function fenceArgs({ group, consumerId, first, last }: FencedBatch): ScriptArgument[] {
  return [group, consumerId, first, last];
}

/** ARGV 1–6 of every script that ends jobs. */
export function endingArgs(batch: EndingBatch, jobs: number): ScriptArgument[] {
  const { unannounced, isGated, groups } = batch;
  const counts = isGated ? `${String(unannounced)}g` : unannounced;
  return [
    batch.group,
    batch.consumerId,
    batch.first,
    batch.last,
    jobs,
    groups ? Buffer.concat([Buffer.from(`${String(counts)}:`), groups]) : counts,
  ];
}

/** A job of a batch, by its index from 0, and the bytes of the id of its group. */
export interface GroupedJob {
  readonly index: number;
  readonly group: Buffer;
}

/** Per job: u16 index from 1, u16 length and the group id. */
export function packGroups(jobs: readonly GroupedJob[]): Buffer {
  return Buffer.concat(
    jobs.flatMap(({ index, group }) => {
      const head = Buffer.allocUnsafe(4);
      head.writeUInt16BE(index + 1, 0);
      head.writeUInt16BE(group.length, 2);
      return [head, group];
    }),
  );
}

const NONE: readonly number[] = [];

/** Scripts count jobs from 1, and reply with the negative index of a job that was cancelled. */
export function unsettledOf(indices: readonly number[]): Unsettled {
  if (indices.length === 0) return { lost: NONE, cancelled: NONE };
  const lost: number[] = [];
  const cancelled: number[] = [];
  for (const index of indices) {
    if (index > 0) lost.push(index - 1);
    else cancelled.push(-index - 1);
  }
  return { lost, cancelled };
}

/** Entry ids with a space between them. One argument per id would cost the client more than the rest of the call. */
export function packEntryIds(jobs: readonly EntryId[]): Buffer {
  let length = 0;
  for (const { idTo, idFrom } of jobs) length += idTo - idFrom + 1;
  const ids = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { idSource, idFrom, idTo } of jobs) {
    for (let i = idFrom; i < idTo; i++) ids[at++] = idSource[i] as number;
    ids[at++] = SPACE;
  }
  return ids.subarray(0, at - 1);
}

const SPACE = 0x20;
