import type { BulkJobOptions, Job } from '../engine/index.js';
import { EXTRAS, type WithExtras } from '../engine/codec/extras.js';

/** Values next to the data, such as a trace id. Nest's `setOnDispatchHook` sets them. */
export type MessageMetadata = Readonly<Record<string, string>>;

/** The fields of a message next to its data. */
export interface MessageHead {
  /** Whether a caller waits for a reply. */
  readonly reply: boolean;
  readonly metadata: MessageMetadata | undefined;
}

export interface Message extends MessageHead {
  readonly data: unknown;
}

/**
 * Job options that carry the head of a message next to its data. The payload is only the data, so `@EventPattern` handles
 * jobs of `Queue.add`, and `@OnJob` handles messages of `emit`.
 */
export function withHead(options: BulkJobOptions, { reply, metadata }: MessageHead): BulkJobOptions {
  if (!reply && !metadata) return options;
  const rpc = { ...(reply && { reply }), ...(metadata && { metadata }) };
  const sent: BulkJobOptions & WithExtras = { ...options, [EXTRAS]: { rpc } };
  return sent;
}

export function messageOfJob(job: Job): Message {
  const rpc = job[EXTRAS]?.rpc;
  const metadata = objectOf(rpc?.metadata) as MessageMetadata | undefined;
  return { data: job.data, reply: rpc?.reply === true, metadata };
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
