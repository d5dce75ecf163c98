import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a Node.js program with our output, passes signals on to it, and resolves with its exit code (128 plus the
 * number of the signal that ended it, as a shell has it). It never outlives this process.
 */
export function runNode(args, env = process.env) {
  return new Promise((resolve, reject) => {
    // In its own process group it gets a Ctrl-C once, from us, and not from the terminal as well.
    const child = spawn(process.execPath, args, {
      env,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const forward = (signal) => child.kill(signal);
    const killGroup = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nothing of it is left.
      }
    };
    for (const signal of SIGNALS) process.on(signal, forward);
    process.on('exit', killGroup);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      for (const name of SIGNALS) process.off(name, forward);
      process.off('exit', killGroup);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
