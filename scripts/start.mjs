// npm start: builds the package and the samples where needed, and runs the first sample on the Redis of REDIS_URL,
// or on a private server that ends with it.
import { join } from 'node:path';
import { buildPackage, buildSamples, root } from './build.mjs';
import { runNode } from './run-child.mjs';

const SAMPLE = '01-welcome';

process.chdir(root);
buildPackage();
buildSamples();

const main = join(root, 'dist-sample', SAMPLE, 'src', 'main.js');
const given = process.env.REDIS_URL;
if (given) {
  console.log(`Redis: ${withoutSecrets(given)}, from REDIS_URL.`);
  process.exitCode = await runNode([main]);
} else {
  process.exitCode = await onPrivateServer((url) => runNode([main], { ...process.env, REDIS_URL: url }));
}

async function onPrivateServer(run) {
  const { RedisServer, resolveServerBinary } = await import('../dist/testing/index.js');
  let server;
  try {
    const binary = await resolveServerBinary({ install: true, log: (line) => console.log(line) });
    server = await RedisServer.start({ binary });
    console.log(`Redis: REDIS_URL is not set, so a private server (${binary}, version ${server.version})`);
    console.log(`       runs on ${server.url} until the sample ends.`);
  } catch (error) {
    console.error(error.message);
    return 1;
  }
  try {
    return await run(server.url);
  } finally {
    await server.stop();
  }
}

function withoutSecrets(url) {
  try {
    const { protocol, host } = new URL(url);
    return `${protocol}//${host}`;
  } catch {
    return 'an address that is not a URL';
  }
}
