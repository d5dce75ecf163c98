import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The server programs, the preferred one first. */
export const SERVERS: readonly string[] = ['redis-server', 'valkey-server'];

/** The folders in which package managers install programs, in case they are not in PATH. */
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/opt/homebrew/bin'];

/** The path of the first of these programs that is in PATH or a usual folder. */
export function findProgram(
  names: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const inPath = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    const path = [...inPath, ...USUAL_FOLDERS].map((folder) => join(folder, name)).find(isProgram);
    if (path !== undefined) return path;
  }
  return undefined;
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
