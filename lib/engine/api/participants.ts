import type { Queue } from './queue.js';
import type { Worker } from './worker.js';

/** What uses a queue and is made by the application itself, so that no module knows of it. */
export interface Participant {
  /** What it is, for people. */
  readonly kind: string;
  readonly queue: Queue;
  readonly worker?: Worker;
}

const open = new Set<Participant>();

/** Those of this process: Nest makes transports and clients by itself, and tells nobody to which application they belong. */
export const participants = {
  add(participant: Participant): void {
    open.add(participant);
  },
  delete(participant: Participant): void {
    open.delete(participant);
  },
  all(): readonly Participant[] {
    return [...open];
  },
};
