// Checks the package as users get it. It packs the package, checks the tarball with publint and are-the-types-wrong, and
// installs it without Nest, where its command must run too. It runs the tests of enhancers on Nest 11. Then it installs the tarball in what `nest new` of
// Nest 11 and of Nest 12 generates: the generated commands must pass, and the application must run a job.
// It installs from the npm registry, into temporary folders.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GENERATED, generatedApp } from './check-package/nest-new.mjs';
import { testsOnNest } from './check-package/nest-tests.mjs';
import { check, fail, folder, install, node, npm, root, run, work } from './check-package/tools.mjs';

const tarball = check('npm pack', pack);
check('publint', () => bin('publint', 'run', '--strict', tarball));
check('are the types wrong', () => bin('attw', '--no-color', tarball));
check('nestjs-chasqui/engine loads without Nest', engineAlone);
// `npm test` runs the same tests on the newest version.
testsOnNest(11);

const { RedisServer, resolveServerBinary } = await import('../dist/testing/index.mjs');
const binary = await resolveServerBinary({ install: true, log: (line) => console.log(line) });
const server = await RedisServer.start({ binary });
try {
  check('npx chasqui', () => commandLine(server));
  for (const app of GENERATED) await generatedApp(app, tarball, server);
} finally {
  await server.stop();
}

function pack() {
  const [{ filename, files }] = JSON.parse(npm(root, ['pack', '--json', '--pack-destination', work]));
  const expected =
    /^(dist\/.+\.(js|mjs|d\.ts|d\.mts)|dist\/(.+\/)?package\.json|docs\/.+\.md|docs\/images\/.+\.png|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
  const strange = files.map(({ path }) => path).filter((path) => !expected.test(path));
  if (strange.length > 0) fail('npm pack', `these files do not belong in the package: ${strange.join(', ')}`);
  return join(work, filename);
}

/** With no Nest package anywhere on the path, loading one would fail. */
function engineAlone() {
  const dir = folder('engine');
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'bare', private: true }));
  install(dir, '--omit=peer', tarball);
  if (existsSync(join(dir, 'node_modules', '@nestjs')))
    fail('engine', 'Nest was installed along with the engine');
  for (const path of ['engine', 'testing']) {
    node(dir, ['--input-type=module', '-e', `await import('nestjs-chasqui/${path}')`]);
    node(dir, ['--input-type=commonjs', '-e', `require('nestjs-chasqui/${path}')`]);
  }
}

/** The command of the installed package. Its dependencies are installed, Nest is not. */
function commandLine({ port }) {
  const dir = folder('engine');
  const chasqui = (...args) => run('npx', ['--no-install', 'chasqui', ...args], dir);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const url = ['--redis-url', `redis://127.0.0.1:${port}`];
  const told = [
    [chasqui('--version'), version],
    [chasqui('--help'), 'Usage: chasqui'],
    [chasqui('watch', '--help'), 'Usage: chasqui watch'],
    [chasqui('add', 'packed', 'hello', '{"to":"you"}', '--create', '--job-id', 'first', ...url), 'first'],
    [chasqui('inspect', 'packed', '--json', ...url), '"waiting": 1'],
  ];
  for (const [output, wanted] of told) {
    if (!output.includes(wanted)) fail('npx chasqui', `expected "${wanted}" in: ${output}`);
  }
}

function bin(name, ...args) {
  return run(join(root, 'node_modules', '.bin', name), args, root);
}
