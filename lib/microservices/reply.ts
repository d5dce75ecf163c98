import { EncodeError, encodePayload } from '../engine/index.js';

/** The stored result of a request: the values that the handler emitted, and the error that ended it, if any. */
export interface Reply {
  readonly $reply: readonly unknown[];
  /** The value of `RpcException.getError()`. Absent if there was no error. */
  readonly error?: unknown;
}

/** A reply that can be stored. A reply that cannot be encoded becomes an error that says so. */
export function toReply(values: readonly unknown[], ...errors: readonly [error?: unknown]): Reply {
  const reply: Reply = errors.length === 0 ? { $reply: values } : { $reply: values, error: errors[0] };
  try {
    encodePayload(reply, 'reply');
    return reply;
  } catch (error) {
    if (!(error instanceof EncodeError)) throw error;
    const { message, code } = error;
    return { $reply: [], error: { status: 'error', message: `The reply cannot be sent. ${message}`, code } };
  }
}

export function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null && Array.isArray((value as { $reply?: unknown }).$reply);
}
