import type { Context } from '../frame/context.js';
import { cell, plural, shellWord } from '../output/values.js';

export async function pause(context: Context, [name]: readonly [string]): Promise<void> {
  const queue = await context.queue(name);
  const wasPaused = await queue.isPaused();
  await queue.pause();
  const counts = await queue.getJobCounts('active', 'paused');
  const { active = 0, paused = 0 } = counts;
  context.out.document({ queue: name, paused: true, changed: !wasPaused, active, waiting: paused });
  context.out.text(wasPaused ? `"${cell(name)}" was paused already.` : `Paused "${cell(name)}".`);
  const [running, waiting] = [plural(active, 'active job'), plural(paused, 'job')];
  context.out.text(
    `${running} will finish, ${waiting} wait${paused === 1 ? 's' : ''}. Resume: chasqui resume ${shellWord(name)}`,
  );
}

export async function resume(context: Context, [name]: readonly [string]): Promise<void> {
  const queue = await context.queue(name);
  const wasPaused = await queue.isPaused();
  await queue.resume();
  const waiting = await queue.getWaitingCount();
  context.out.document({ queue: name, paused: false, changed: wasPaused, waiting });
  context.out.text(wasPaused ? `Resumed "${cell(name)}".` : `"${cell(name)}" was not paused.`);
  context.out.text(`${plural(waiting, 'job')} wait${waiting === 1 ? 's' : ''} for a worker.`);
}
