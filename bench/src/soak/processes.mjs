import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const STEP_LIMIT_MS = 90_000;

/**
 * @param {'producer' | 'worker' | 'listener'} role
 * @param {Record<string, (message: object) => void>} listeners by type of message
 */
export function startProcess(role, listeners) {
  const child = fork(fileURLToPath(new URL(`./${role}.mjs`, import.meta.url)), {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const waiting = new Map();
  let over = false;
  let markEnded;
  const ended = new Promise((resolve) => (markEnded = resolve));
  const end = (how) => {
    over = true;
    for (const { reject } of waiting.values()) reject(new Error(`the ${role} process ended with ${how}`));
    waiting.clear();
    markEnded();
  };
  child.once('error', (error) => end(error.message));
  child.once('exit', (code, signal) => end(signal ?? code));
  child.on('message', ({ type, ...message }) => {
    listeners[type]?.(message);
    waiting.get(type)?.resolve(message);
    waiting.delete(type);
  });

  return {
    /** Sends, and resolves with the answer. */
    ask(type, answer, content = {}) {
      if (over) return Promise.reject(new Error(`the ${role} process is gone`));
      return new Promise((resolve, reject) => {
        const limit = setTimeout(
          () => reject(new Error(`the ${role} process did not answer '${type}'`)),
          STEP_LIMIT_MS,
        );
        const settle = (how) => (value) => {
          clearTimeout(limit);
          how(value);
        };
        waiting.set(answer, { resolve: settle(resolve), reject: settle(reject) });
        child.send({ type, ...content });
      });
    },
    async close() {
      await this.ask('close', 'left');
      await ended;
    },
    async kill() {
      if (!over) child.kill('SIGKILL');
      await ended;
    },
  };
}
