import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a Node.js program with our output, passes signals on to it, and resolves with its exit code (128 plus the
 * number of the signal that ended it, as a shell has it). It never outlives this process. Needs dist/.
 */
export async function runNode(args, env = process.env) {
  const { dieWithUs } = await import('../dist/testing/server/die-with-us.js');
  // In its own process group it gets a Ctrl-C once, from us, and not from the terminal as well.
  const child = spawn(process.execPath, args, {
    env,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(child, 'exit');
  const release = child.pid === undefined ? () => {} : dieWithUs(child.pid);
  const forward = (signal) => child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, forward);
  try {
    const [code, signal] = await exited;
    return code ?? 128 + constants.signals[signal];
  } finally {
    release();
    for (const name of SIGNALS) process.off(name, forward);
  }
}
