import type { MessagePort } from 'node:worker_threads';
import type { Extras } from '../codec/extras.js';
import type { JobsOptions } from '../config/options.js';
import type { JobActions } from '../job/job-actions.js';
import type { ThrownMessage } from './thrown-message.js';

// What the process and one of its threads say to each other. All of it crosses by structured clone.

/** With what a thread starts. */
export interface ServeMessage {
  /** The file of the processor. */
  readonly file: string;
  /** For `onThreadStart` of the file. */
  readonly data: unknown;
  readonly port: MessagePort;
}

export interface JobMessage {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  /** MessagePack: what a handler of the process gets, the thread decodes. Structured clone would turn a Buffer into a Uint8Array. */
  readonly payload: Uint8Array;
  readonly opts: JobsOptions;
  readonly attemptsMade: number;
  readonly timestamp: number;
  readonly processedOn: number | undefined;
  readonly extras: Extras | undefined;
}

/** `run` numbers the jobs of one thread. */
export type ToThread =
  | { readonly kind: 'job'; readonly run: number; readonly job: JobMessage }
  | { readonly kind: 'abort'; readonly run: number; readonly reason: ThrownMessage }
  | { readonly kind: 'returned'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly call: number; readonly error: ThrownMessage }
  | { readonly kind: 'close' };

export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: ThrownMessage }
  | {
      readonly kind: 'call';
      readonly run: number;
      /** Of the job. */
      readonly id: string;
      readonly call: number;
      readonly method: JobMethod;
      readonly args: readonly unknown[];
    }
  | { readonly kind: 'done'; readonly run: number; readonly value: unknown; readonly lost?: string }
  | { readonly kind: 'thrown'; readonly run: number; readonly error: ThrownMessage }
  | { readonly kind: 'closed'; readonly error?: ThrownMessage };

/** The methods of `Job` that a handler in a thread calls in the process. */
export type JobMethod = keyof JobActions | 'discard' | 'fail';
