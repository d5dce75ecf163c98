import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, folder, install, root, run } from './tools.mjs';

/** What the tests need of this repository. It is copied, so that Node.js resolves Nest from the folder of the copy. */
const SOURCES = [
  'docs',
  'lib',
  'lua',
  'scripts/embed-lua.mjs',
  'test/docs/support',
  'test/nest',
  'test/support',
  'README.md',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];
/** The tests that fail if Nest's private members work in another way than lib/nest/job-context expects. */
const TESTS = ['enhancer-table', 'enhancers', 'global-enhancers', 'scopes'];
const PACKAGES = ['common', 'core', 'platform-express', 'testing'];

/** Runs the table of enhancers, and the other tests of Nest's private members, on another major version of Nest. */
export function testsOnNest(version) {
  const dir = folder(`tests-nest-${version}`);
  for (const source of SOURCES) cpSync(join(root, source), join(dir, source), { recursive: true });
  const modules = folder(`modules-nest-${version}`);
  writeFileSync(join(modules, 'package.json'), JSON.stringify({ name: 'modules', private: true }));
  check(`Nest ${version}: npm install for the tests`, () =>
    install(modules, ...PACKAGES.map((name) => `@nestjs/${name}@${version}`), 'reflect-metadata', 'rxjs'),
  );
  symlinkSync(join(modules, 'node_modules'), join(dir, 'node_modules'));
  linkMissing(join(root, 'node_modules'), join(modules, 'node_modules'));
  check(`Nest ${version}: tests of enhancers`, () => {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const files = TESTS.map((name) => `test/nest/${name}.test.ts`);
    run(process.execPath, [vitest, 'run', '--root', dir, '--reporter', 'default', ...files], dir);
  });
}

/** Everything else comes from this repository, but no Nest package of another version. */
function linkMissing(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (name.startsWith('.') || name === '@nestjs') continue;
    if (name.startsWith('@') && existsSync(join(to, name))) linkMissing(join(from, name), join(to, name));
    else if (!existsSync(join(to, name))) symlinkSync(join(from, name), join(to, name));
  }
}
