import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Socket } from 'node:net';

interface Ward {
  readonly pid: number;
  readonly folder: string | undefined;
}

const wards = new Set<Ward>();

/*
 * A process that dies of a signal runs no exit handler, so each server has a watcher outside of our process: a shell
 * that reads a pipe of which we hold the other end. The system closes that end however we die.
 */
const WATCHER = `trap '' INT TERM HUP
while read -r _; do :; done
kill -s KILL -- "-$1" 2>/dev/null
[ -z "$2" ] || rm -rf -- "$2"`;

/**
 * Makes a server end with this process, however this process ends: by itself, by an error, by `kill -9`.
 *
 * @param pid leader of a process group of its own, the whole of which is killed
 * @param folder removed after the server, when given
 * @returns ends the watch; call it as soon as the server has ended, before its pid can be given to another process
 */
export function dieWithUs(pid: number, folder?: string): () => void {
  if (wards.size === 0) process.on('exit', killAll);
  const ward = { pid, folder };
  wards.add(ward);

  const watcher = spawn('/bin/sh', ['-c', WATCHER, 'chasqui-watcher', String(pid), folder ?? ''], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell the exit handler is what remains.
  watcher.on('error', () => undefined);
  watcher.stdin.on('error', () => undefined);
  watcher.unref();
  if (watcher.stdin instanceof Socket) watcher.stdin.unref();

  return () => {
    wards.delete(ward);
    if (wards.size === 0) process.off('exit', killAll);
    watcher.kill('SIGKILL');
  };
}

/** Sends a signal to a process group; says whether there was one. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function killAll(): void {
  for (const { pid, folder } of wards) {
    signalGroup(pid, 'SIGKILL');
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}
