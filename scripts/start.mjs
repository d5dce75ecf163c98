// npm start [sample] [arguments]: builds the package and the samples if needed, and runs one sample with the arguments. It
// uses the Redis of REDIS_URL, or a private server that ends with the sample.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildPackage, buildSamples, root } from './build.mjs';
import { runNode } from './run-child.mjs';

const [sample = '01-welcome', ...args] = process.argv.slice(2);

process.chdir(root);
const samples = readdirSync('sample').filter((name) => /^\d/.test(name));
if (!samples.includes(sample)) {
  console.error(`There is no sample "${sample}". There are: ${samples.join(', ')}.`);
  process.exit(1);
}
buildPackage();
buildSamples();

const main = join(root, 'dist-sample', sample, 'src', 'main.js');
const given = process.env.REDIS_URL;
if (given) {
  console.log(`Redis: ${withoutSecrets(given)}, from REDIS_URL.`);
  process.exitCode = await runNode([main, ...args]);
} else {
  process.exitCode = await onPrivateServer((url) =>
    runNode([main, ...args], { ...process.env, REDIS_URL: url }),
  );
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
