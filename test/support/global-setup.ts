import { resolveServerBinary } from '../../lib/testing/index.js';

/** Finds (or installs) the server once, for every test file. */
export default async function setup(): Promise<void> {
  process.env['CHASQUI_REDIS_SERVER'] = await resolveServerBinary({
    install: true,
    log: (line) => {
      console.log(line);
    },
  });
}
