import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a Node.js program with the output of this process, and forwards signals to it. Resolves with its exit code, which is
 * 128 plus the number of the signal if a signal ended it, as in a shell. It never outlives this process. Needs dist/.
 */
export async function runNode(args, env = process.env) {
  const { dieWithUs } = await import('../dist/testing/server/die-with-us.js');
  // In its own process group, it gets a Ctrl-C only from this process, and not a second time from the terminal.
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
