import { Command } from 'ioredis';
import type { ScriptArgument } from './script-runner.js';

/** The start of every call of a script on a queue, as arguments and as bytes. */
export interface ScriptHead {
  readonly command: 'eval' | 'evalsha';
  /** Source or hash, number of keys, keys. */
  readonly args: readonly string[];
  /** The name of the command and these arguments, each behind its length. */
  readonly bytes: Buffer;
}

export function scriptHead(command: 'eval' | 'evalsha', script: string, keys: readonly string[]): ScriptHead {
  const args = [script, String(keys.length), ...keys];
  const bytes = Buffer.from([command, ...args].map((arg) => bulk(arg)).join(''));
  return { command, args, bytes };
}

function bulk(text: string): string {
  return `$${String(Buffer.byteLength(text))}\r\n${text}\r\n`;
}

export interface CallOptions {
  /** For how many ms the call may be sent again. Default: while its caller waits. */
  sendableMs?: number | undefined;
  /** How often the call may be sent. Default: any number of times. */
  mostSends?: number | undefined;
}

/**
 * A call of a script. ioredis keeps a command until it has a reply, and writes it to one connection after another, long
 * after the caller has given up. That must end before Redis has forgotten the call.
 */
export class ScriptCall {
  #args: readonly ScriptArgument[] | undefined;
  readonly #sendableUntil: number;
  #sendsLeft: number;
  #written = false;

  constructor(
    args: readonly ScriptArgument[],
    { sendableMs = Infinity, mostSends = Infinity }: CallOptions = {},
  ) {
    this.#args = args;
    this.#sendableUntil = sendableMs === Infinity ? Infinity : performance.now() + sendableMs;
    this.#sendsLeft = mostSends;
  }

  /** The caller has given up: the call is not sent from now on. */
  drop(): void {
    this.#args = undefined;
  }

  /** The server did not know the script, so the call may be sent again. */
  wasUnknown(): void {
    this.#written = false;
    this.#sendsLeft += 1;
  }

  /** The arguments to write now; undefined if the call must not be sent. */
  argsToSend(): readonly ScriptArgument[] | undefined {
    const isOver = this.#written && performance.now() >= this.#sendableUntil;
    if (isOver || this.#sendsLeft === 0) this.drop();
    this.#written = true;
    this.#sendsLeft -= 1;
    return this.#args;
  }
}

/** Written instead of a call that must not be sent: ioredis expects a reply to everything that it writes. */
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');

/** The most bytes of the header and the line ends of an argument. */
const FRAME_BYTES = 24;
const DOLLAR = 0x24;
const STAR = 0x2a;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Writes a call of a script into one buffer in one pass. ioredis would make three strings of each argument, measure each
 * twice and copy each: for the twenty arguments of an `add`, that took longer than the rest of the client's work. ioredis
 * itself gets only the head: it needs the keys to find the node of a cluster, and its errors then contain no payloads.
 */
export class ScriptCommand extends Command {
  readonly #head: ScriptHead;
  readonly #call: ScriptCall;

  constructor(head: ScriptHead, call: ScriptCall, replyEncoding: 'utf8' | null) {
    super(head.command, head.args as string[], { replyEncoding });
    this.#head = head;
    this.#call = call;
  }

  override toWritable(): Buffer {
    const { bytes, args } = this.#head;
    const tail = this.#call.argsToSend();
    if (!tail) {
      this.reject(
        new Error('The connection was closed before the reply came, and the call was not sent again.'),
      );
      return PING;
    }
    let bound = FRAME_BYTES + bytes.length;
    for (const arg of tail) {
      bound += FRAME_BYTES;
      if (typeof arg === 'string') bound += arg.length * 3;
      else if (typeof arg === 'object') bound += arg.length;
    }
    const to = Buffer.allocUnsafe(bound);
    let at = writeHeader(to, 0, STAR, 1 + args.length + tail.length);
    at += bytes.copy(to, at);
    for (const arg of tail) at = writeArgument(to, at, arg);
    return to.subarray(0, at);
  }
}

function writeArgument(to: Buffer, at: number, arg: ScriptArgument): number {
  if (typeof arg === 'object') {
    at = writeHeader(to, at, DOLLAR, arg.length);
    to.set(arg, at);
    return writeEnd(to, at + arg.length);
  }
  const text = typeof arg === 'number' ? String(arg) : arg;
  const length = Buffer.byteLength(text);
  at = writeHeader(to, at, DOLLAR, length);
  if (length === text.length && length < 32) {
    for (let i = 0; i < length; i++) to[at++] = text.charCodeAt(i);
  } else {
    at += to.write(text, at);
  }
  return writeEnd(to, at);
}

function writeHeader(to: Buffer, at: number, type: number, value: number): number {
  to[at++] = type;
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits += 1;
  let left = value;
  for (let i = at + digits - 1; i >= at; i--) {
    to[i] = 0x30 + (left % 10);
    left = Math.floor(left / 10);
  }
  return writeEnd(to, at + digits);
}

function writeEnd(to: Buffer, at: number): number {
  to[at] = CR;
  to[at + 1] = LF;
  return at + 2;
}
