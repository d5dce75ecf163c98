import type { Context } from '../frame/context.js';
import { countWaiting } from '../jobs/counts.js';
import { cell, plural } from '../output/values.js';
import { pauseGroup, resumeCommand, resumeGroup, waits } from './groups.js';

interface SteerOptions {
  readonly group?: string;
}

export async function pause(
  context: Context,
  [name]: readonly [string],
  { group }: SteerOptions,
): Promise<void> {
  const queue = await context.queue(name);
  if (group !== undefined) return pauseGroup(context, queue, group);
  const changed = await queue.changePause(true);
  const [active, waiting, workers] = await Promise.all([
    queue.getActiveCount(),
    countWaiting(queue),
    queue.getWorkers(),
  ]);
  const running = Math.min(
    active,
    workers.reduce((sum, { pending }) => sum + pending, 0),
  );
  const ofDeadWorkers = active - running;
  context.out.document({ queue: name, paused: true, changed, active, ofDeadWorkers, waiting });
  context.out.text(changed ? `Paused "${cell(name)}".` : `"${cell(name)}" was paused already.`);
  context.out.text(
    `${plural(running, 'active job')} will finish, ${waits(waiting)}. Resume: ${resumeCommand(name)}`,
  );
  if (ofDeadWorkers > 0) {
    const are = ofDeadWorkers === 1 ? 'is' : 'are';
    context.out.text(
      `${plural(ofDeadWorkers, 'active job')} of dead workers ${are} taken over when the queue is resumed.`,
    );
  }
}

export async function resume(
  context: Context,
  [name]: readonly [string],
  { group }: SteerOptions,
): Promise<void> {
  const queue = await context.queue(name);
  if (group !== undefined) return resumeGroup(context, queue, group);
  const changed = await queue.changePause(false);
  const waiting = await countWaiting(queue);
  context.out.document({ queue: name, paused: false, changed, waiting });
  context.out.text(changed ? `Resumed "${cell(name)}".` : `"${cell(name)}" was not paused.`);
  context.out.text(`${waits(waiting)} for a worker.`);
}
