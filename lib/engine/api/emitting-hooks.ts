import type { EventEmitter } from 'node:events';
import { emitTo } from '../base/emit.js';
import { readProperty } from '../base/safe-access.js';
import { toError } from '../base/thrown.js';
import type { WorkerHooks } from '../worker/hooks.js';
import type { WorkerEventsMap } from './worker-event-types.js';

/**
 * Makes events of what a worker reports.
 * @param report gets what is an `error` event, and what a listener throws
 */
export function emittingHooks(worker: EventEmitter, report: (error: unknown) => void): WorkerHooks {
  const emit = (event: keyof WorkerEventsMap, ...args: unknown[]): void => {
    if (worker.listenerCount(event) > 0) emitTo(worker, event, args, report);
  };
  return {
    stalled: (jobId) => {
      emit('stalled', jobId, 'active');
    },
    paused: (by) => {
      emit('paused', by);
    },
    resumed: (by) => {
      emit('resumed', by);
    },
    active: (job) => {
      emit('active', job, '');
    },
    completed: (job) => {
      emit('completed', job, readProperty(job, 'returnvalue'), '');
    },
    failed: (job, error) => {
      // Reading the stack of an error, as toError does, costs more than the rest of a retry.
      if (worker.listenerCount('failed') > 0) emit('failed', job, toError(error), '');
    },
    deadLettered: (deadLetter) => {
      emit('deadLettered', deadLetter);
    },
    dlqEvicted: (evicted) => {
      emit('dlqEvicted', evicted);
    },
    error: report,
  };
}
