import type { Client } from '../../lib/redis/client.js';
import { isNumbered, runScript } from '../../lib/redis/script-registry.js';
import type { ScriptRunner } from '../../lib/redis/script-runner.js';

let calls = 0;

/** Runs scripts on a client with no deadline, for tests that call the functions of lib/redis/scripts themselves. */
export function runnerOn(client: Client): ScriptRunner {
  return {
    run: (name, keys, args, options = {}) => {
      if (options.calls !== undefined || !isNumbered(name))
        return runScript(client, name, keys, args, options);
      const numbered = [...args, options.call ?? calls++];
      return runScript(client, name, keys, numbered, { ...options, calls: keys.calls('test') });
    },
  };
}
