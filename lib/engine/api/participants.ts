import type { Queue } from './queue.js';
import type { Worker } from './worker.js';

/** Something that uses a queue and that the application creates itself, so no module knows of it. */
export interface Participant {
  /** What it is, for messages. */
  readonly kind: string;
  readonly queue: Queue;
  readonly worker?: Worker;
}

const open = new Set<Participant>();

/** All of this process: Nest creates transports and clients itself, and does not say to which application they belong. */
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
