import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a worker and a producer as two processes, as in a deployment. Stops the worker when the producer has ended. */
export async function playBoth(main: string): Promise<number> {
  // Each run uses its own queue in Redis, so that it finds no jobs of an earlier run.
  const env = { ORDERS_QUEUE: `orders-${Date.now().toString(36)}-${process.pid}`, ...process.env };
  const run = (role: string) => spawn(process.execPath, [main, role], { env, stdio: 'inherit' });
  const worker = run('worker');
  const workerEnded = once(worker, 'exit');
  const [code] = (await once(run('producer'), 'exit')) as [number | null];
  worker.kill('SIGTERM');
  await workerEnded;
  console.log('the worker was stopped, and has ended');
  return code ?? 1;
}
