// Checks the package as users get it. It packs the package, checks the tarball with publint and are-the-types-wrong, and
// installs it without Nest. It runs the tests of enhancers on Nest 11. Then it installs the tarball in what `nest new` of
// Nest 11 and of Nest 12 generates: the generated commands must pass, and the application must run a job.
// It installs from the npm registry, into temporary folders.
import { existsSync, writeFileSync } from 'node:fs';
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
  for (const app of GENERATED) await generatedApp(app, tarball, server);
} finally {
  await server.stop();
}

function pack() {
  const [{ filename, files }] = JSON.parse(npm(root, ['pack', '--json', '--pack-destination', work]));
  const expected =
    /^(dist\/.+\.(js|mjs|d\.ts|d\.mts)|dist\/package\.json|docs\/.+\.md|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
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

function bin(name, ...args) {
  return run(join(root, 'node_modules', '.bin', name), args, root);
}
