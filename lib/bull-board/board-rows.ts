import type { AppJobScheduler, QueueWorker } from '@bull-board/api/typings/app';
import type { JobSchedulerJson, WorkerInfo } from '../engine/index.js';
import { LIST_CHARACTERS, shown } from './shown-value.js';

/** A worker as the board lists it. */
export function toBoardWorker(worker: WorkerInfo): QueueWorker {
  const { id, name, host, pid, concurrency, running, paused, startedAt, lastSeen } = worker;
  const where = host === undefined ? 'a third-party worker' : `${host}, pid ${String(pid)}`;
  const load = concurrency === undefined ? '' : `, runs ${String(running)} of ${String(concurrency)}`;
  const label = name === '' ? null : name;
  return {
    id,
    name: paused ? `${label ?? 'worker'} (paused)` : label,
    addr: `${where}${load}`,
    age: startedAt === undefined ? 0 : Math.max(0, Math.round((lastSeen - startedAt) / 1000)),
  };
}

/** A schedule as the board lists it, without the name of its queue. */
export function toBoardScheduler({
  key,
  name,
  paused,
  pattern,
  every,
  tz,
  limit,
  startDate,
  endDate,
  next,
  iterationCount,
  template,
}: JobSchedulerJson): Omit<AppJobScheduler, 'queueName'> {
  const { data, opts } = template;
  return {
    id: key,
    name: paused ? `${name} (paused)` : name,
    pattern,
    every,
    tz,
    limit,
    startDate,
    endDate,
    next,
    iterationCount,
    template: {
      ...(data !== undefined && { data: shown(data, LIST_CHARACTERS).value }),
      ...(opts && { opts: shown(opts, LIST_CHARACTERS).value as Record<string, unknown> }),
    },
  };
}
