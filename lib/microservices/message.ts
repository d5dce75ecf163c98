import { encodePayload, type BulkJobOptions, type Job } from '../engine/index.js';
import { EXTRAS, type WithExtras } from '../engine/codec/extras.js';

/** Values beside the data, a trace id say; Nest's `setOnDispatchHook` sets them. */
export type MessageMetadata = Readonly<Record<string, string>>;

/** What a message says beside its data. */
export interface MessageHead {
  /** Whether somebody waits for a reply. */
  readonly reply: boolean;
  readonly metadata: MessageMetadata | undefined;
}

export interface Message extends MessageHead {
  readonly data: unknown;
}

/**
 * Options that send the head of a message beside its data. The payload is the data and nothing else, so that
 * `Queue.add` can send what `@EventPattern` handles, and `@OnJob` can handle what `emit` sends.
 */
export function withHead(options: BulkJobOptions, { reply, metadata }: MessageHead): BulkJobOptions {
  if (!reply && !metadata) return options;
  const rpc = { ...(reply && { reply }), ...(metadata && { metadata }) };
  const sent: BulkJobOptions & WithExtras = { ...options, [EXTRAS]: encodePayload({ rpc }) };
  return sent;
}

export function messageOfJob(job: Job): Message {
  const rpc = objectOf(job[EXTRAS]?.rpc);
  const metadata = objectOf(rpc?.metadata) as MessageMetadata | undefined;
  return { data: job.data, reply: rpc?.reply === true, metadata };
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
