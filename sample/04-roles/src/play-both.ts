import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a worker and a producer, two processes as in a deployment, and stops the worker once the producer has ended. */
export async function playBoth(main: string): Promise<number> {
  // In Redis each run has a queue of its own, so that it finds nothing of an earlier one.
  const env = { ORDERS_QUEUE: `orders-${Date.now().toString(36)}-${process.pid}`, ...process.env };
  const run = (role: string) => spawn(process.execPath, [main, role], { env, stdio: 'inherit' });
  const worker = run('worker');
  const workerEnded = once(worker, 'exit');
  const [code] = (await once(run('producer'), 'exit')) as [number | null];
  worker.kill('SIGTERM');
  await workerEnded;
  console.log('the worker was told to stop, and has ended');
  return code ?? 1;
}
