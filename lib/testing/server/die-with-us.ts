import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Socket } from 'node:net';

interface Ward {
  readonly pid: number;
  readonly folder: string | undefined;
}

const wards = new Set<Ward>();

/*
 * A process that a signal kills runs no exit handler. So each server has a watcher outside our process: a shell that reads
 * a pipe whose other end is ours. The system closes that end when our process ends, for any reason.
 */
const WATCHER = `trap '' INT TERM HUP
while read -r _; do :; done
kill -s KILL -- "-$1" 2>/dev/null
[ -z "$2" ] || rm -rf -- "$2"`;

/**
 * Ends a server when this process ends: normally, by an error, or by `kill -9`.
 *
 * @param pid the leader of a process group; the whole group is killed
 * @param folder a folder to remove after the server has ended
 * @returns a function that ends the watch; call it as soon as the server has ended, before another process can get its pid
 */
export function dieWithUs(pid: number, folder?: string): () => void {
  if (wards.size === 0) process.on('exit', killAll);
  const ward = { pid, folder };
  wards.add(ward);

  const watcher = spawn('/bin/sh', ['-c', WATCHER, 'chasqui-watcher', String(pid), folder ?? ''], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell, only the exit handler remains.
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

/** Sends a signal to a process group. Returns false if there is no such group. */
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
