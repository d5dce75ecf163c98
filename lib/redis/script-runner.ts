import type { ExtraKeys, QueueKeys } from './keys.js';
import type { ScriptName } from './scripts.generated.js';

export type { ScriptName };

/** One value of KEYS or ARGV. Only the functions in scripts/ know which value stands where. */
export type ScriptArgument = string | number | Buffer;

export interface ScriptOptions extends ExtraKeys {
  /** Bulk strings of the reply are Buffers instead of UTF-8 strings. */
  buffers?: boolean;
  /**
   * How often the call is sent at most: ioredis sends a call again when the connection breaks before the reply arrives, and
   * the reply may be what breaks it. Default: until there is a reply.
   */
  mostSends?: number | undefined;
  /** Called when the connection is done with the call, which may be long after the caller's deadline. */
  onSettled?: (() => void) | undefined;
  /**
   * The number of the call: a second call with the same number and the same arguments gets the reply of the first, and
   * changes nothing. Default: the runner takes the next number.
   */
  call?: number | undefined;
}

/** For a read whose reply may be large: a connection that breaks once does not fail it, and its reply breaks two at most. */
export const LARGE_READ = { buffers: true, mostSends: 2 } as const satisfies ScriptOptions;

/** Runs scripts on the keys of a queue. The engine's command link is one. */
export interface ScriptRunner {
  run(
    name: ScriptName,
    keys: QueueKeys,
    args: readonly ScriptArgument[],
    options?: ScriptOptions,
  ): Promise<unknown>;
}

/** The number of a call that its caller may repeat: see {@link ScriptOptions.call}. */
export interface RepeatableCall {
  call?: number | undefined;
}
