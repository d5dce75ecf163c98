import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { installServer } from '../../lib/testing/server/install-server.js';

let dir: string;
let log: string[];

/** Puts a shell script in front of the program of that name; `$state` is the folder for what it did. */
async function fake(name: string, script: string): Promise<void> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\nstate='${dir}'\n${script}\n`);
  await chmod(path, 0o755);
}

async function running(): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.startsWith('running-'));
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'chasqui-test-'));
  log = [];
  vi.stubEnv('PATH', `${dir}:/usr/bin:/bin`);
  // A package list that has to be fetched first, and a package that starts its service.
  await fake(
    'apt-get',
    `case "$*" in
      update) touch "$state/updated";;
      *" redis-server") [ -e "$state/updated" ] || { echo 'E: Unable to locate package' >&2; exit 100; }
        touch "$state/running-redis-server"; cp "$0" "$state/redis-server";;
      *) echo 'E: Unable to locate package' >&2; exit 100;;
    esac`,
  );
  await fake(
    'service',
    `case $2 in status) [ -e "$state/running-$1" ];; stop) rm "$state/running-$1";; esac`,
  );
  await fake(
    'systemctl',
    `case $1 in is-active) [ -e "$state/running-$3" ];; stop) rm "$state/running-$2";; esac`,
  );
  vi.spyOn(process, 'getuid').mockReturnValue(0);
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

describe('installServer with apt-get', () => {
  it('fetches the list of packages when it is missing, says each command, and stops the service', async () => {
    await installServer((line) => log.push(line));
    expect(log).toEqual([
      'No redis-server or valkey-server in PATH: installing one.',
      '$ apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends redis-server',
      '$ apt-get update',
      '$ apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends redis-server',
      expect.stringMatching(/^\$ (service redis-server stop|systemctl stop redis-server)$/),
    ]);
    expect(await running()).toEqual([]);
  });

  it('leaves a service alone that ran before', async () => {
    await writeFile(join(dir, 'running-redis-server'), '');
    await installServer((line) => log.push(line));
    expect(await running()).toEqual(['running-redis-server']);
    expect(log.join('\n')).not.toMatch(/stop/);
  });

  it('goes through a sudo that asks for no password', async () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    await fake('sudo', '[ "$1" = -n ] || exit 1; shift; exec "$@"');
    await installServer((line) => log.push(line));
    expect(log[1]).toMatch(/^\$ sudo -n env DEBIAN_FRONTEND=noninteractive .*apt-get .* redis-server$/);
    expect(await running()).toEqual([]);
  });

  it('prints the command for the user when sudo asks for a password', async () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    await fake('sudo', 'exit 1');
    await expect(installServer((line) => log.push(line))).rejects.toThrow(
      'sudo apt-get update && sudo apt-get install -y redis-server',
    );
    expect(log).toEqual([]);
  });

  it("shows the manager's last lines when it fails", async () => {
    await fake('apt-get', "echo 'E: No space left' >&2; exit 100");
    await expect(installServer(() => undefined)).rejects.toThrow(
      /apt-get could not install a server.*apt-get install -y redis-server\n.*E: No space left/s,
    );
  });
});
