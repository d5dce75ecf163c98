/** Values beside the data, a trace id say; Nest's `setOnDispatchHook` sets them. */
export type MessageMetadata = Readonly<Record<string, string>>;

export interface Message {
  readonly data: unknown;
  /** Whether somebody waits for a reply. */
  readonly reply: boolean;
  readonly metadata: MessageMetadata | undefined;
}

/** The payload where there is more to say than the data. Written so that no plain data can be taken for it. */
interface Envelope {
  readonly $rpc: { readonly reply?: boolean; readonly metadata?: MessageMetadata };
  readonly data: unknown;
}

/**
 * A message as a job's payload. A plain event is its data and nothing else, so that `Queue.add` can send what
 * `@EventPattern` handles, and `@OnJob` can handle what `emit` sends.
 */
export function toPayload({ data, reply, metadata }: Message): unknown {
  if (!reply && !metadata && !isEnvelope(data)) return data;
  const envelope: Envelope = { $rpc: { ...(reply && { reply }), ...(metadata && { metadata }) }, data };
  return envelope;
}

export function fromPayload(payload: unknown): Message {
  if (!isEnvelope(payload)) return { data: payload, reply: false, metadata: undefined };
  const { $rpc, data } = payload;
  return { data, reply: $rpc.reply === true, metadata: $rpc.metadata };
}

function isEnvelope(payload: unknown): payload is Envelope {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return false;
  const { $rpc } = payload as { $rpc?: unknown };
  return typeof $rpc === 'object' && $rpc !== null && 'data' in payload && Object.keys(payload).length === 2;
}
