/*
 * The life of a job in one worker, from its delivery on:
 *
 *   fetched → queued → running → settling → completed | retried | dead-lettered | cancelled | dropped | released
 *                │        └─► concluding ─┘
 *                ├─► starting ─► running | settling
 *                ├─► offered ─► released | handed over | queued
 *                └─► releasing ─► released            (also from starting, running and concluding)
 *
 * A job is lost where Redis says that its lease is no longer this worker's. It is abandoned where this worker cannot say
 * what became of it: then it is still pending in Redis, and the next heartbeat or another worker finds it.
 */

/** Delivered, and not yet accepted by admission. */
export const FETCHED = 0;
/** Waits for a handler to be free. */
export const QUEUED = 1;
/** Redis is asked before it starts: its worker died with it before, so the start is counted; or it has a time to live. */
export const STARTING = 2;
/** Its handler runs. */
export const RUNNING = 3;
/** Its handler has failed, and a backoff strategy decides when the next attempt comes. */
export const CONCLUDING = 4;
/** Its outcome is on its way to Redis. Only the reply says whether the lease was still this worker's. */
export const SETTLING = 5;
/** It has waited here for too long, and goes to another worker if there is one. Only the reply says so. */
export const OFFERED = 6;
/** The worker closes and releases it, whatever its handler still does. */
export const RELEASING = 7;

// The ends. A job in one of these states is not in flight.
export const COMPLETED = 8;
export const RETRIED = 9;
export const DEAD_LETTERED = 10;
export const CANCELLED = 11;
/** Put back into the stream or the delayed set; this worker has used no attempt. */
export const RELEASED = 12;
/** It had been reclaimed and could not start here: any other worker reclaims it. */
export const HANDED_OVER = 13;
/** The lease is not this worker's any more: what its handler does no longer counts. */
export const LOST = 14;
/** Its outcome cannot be sent, or nobody knows whether it was released. */
export const ABANDONED = 15;
/** It did not start in time, and was deleted. */
export const DROPPED = 16;

export type State = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16;

export const STATE_NAMES = [
  'fetched',
  'queued',
  'starting',
  'running',
  'concluding',
  'settling',
  'offered',
  'releasing',
  'completed',
  'retried',
  'dead-lettered',
  'cancelled',
  'released',
  'handed-over',
  'lost',
  'abandoned',
  'dropped',
] as const;

export type StateName = (typeof STATE_NAMES)[number];

/** The legal transitions. A state that is not named here is an end. */
export const TRANSITIONS: Readonly<Partial<Record<StateName, readonly StateName[]>>> = {
  fetched: ['queued', 'lost'],
  queued: ['starting', 'running', 'settling', 'offered', 'releasing', 'lost'],
  starting: ['queued', 'running', 'settling', 'releasing', 'lost'],
  running: ['concluding', 'settling', 'releasing', 'lost'],
  concluding: ['settling', 'releasing', 'lost'],
  settling: [
    ...(['completed', 'retried', 'dead-lettered', 'cancelled', 'dropped', 'released'] as const),
    ...(['lost', 'abandoned'] as const),
  ],
  // Back to the queue where no other worker is there, or where the job was cancelled.
  offered: ['queued', 'released', 'handed-over'],
  // A cancelled job is not released: it is settled, by way of the queue where its handler has not run.
  releasing: ['queued', 'settling', 'released', 'abandoned'],
};

/** The states that may follow a state, one bit for each. */
const FOLLOWING: readonly number[] = STATE_NAMES.map((from) =>
  (TRANSITIONS[from] ?? []).reduce((bits, to) => bits | (1 << STATE_NAMES.indexOf(to)), 0),
);

export function isLegal(from: State, to: State): boolean {
  return ((FOLLOWING[from] as number) & (1 << to)) !== 0;
}

export function isInFlight(state: State): boolean {
  return state < COMPLETED;
}

/** Its handler may still be called, and was not. */
export function hasNotStarted(state: State): boolean {
  return state < RUNNING || state === OFFERED;
}

/** Its handler was called, and what becomes of the job is not decided. */
export function isUndecided(state: State): boolean {
  return state === RUNNING || state === CONCLUDING;
}

/**
 * Whether the heartbeat decides that the lease is lost. Where a call is under way that ends the lease, the reply to that
 * call decides: the heartbeat may find the job gone because the call has ended it.
 */
export function isLeaseWatched(state: State): boolean {
  return state < SETTLING;
}
