// Checks the package as its users get it: packs it, has publint and are-the-types-wrong look at the tarball, and
// installs it without Nest, in a bare Nest 11 app (CommonJS, TypeScript 5) and in a bare Nest 12 app (ESM,
// TypeScript 6), where a job must get through. Installs from the npm registry, into temporary folders.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './build.mjs';

const APPS = [
  { name: 'Nest 11', nest: '^11.0.0', type: 'commonjs', typescript: '~5.9.0' },
  { name: 'Nest 12', nest: '^12.0.0', type: 'module', typescript: '~6.0.0' },
];
const RUN_TIMEOUT_MS = 60_000;

const work = mkdtempSync(join(tmpdir(), 'chasqui-package-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

const tarball = check('npm pack', pack);
check('publint', () => bin('publint', 'run', '--strict', tarball));
check('are the types wrong', () => bin('attw', '--profile', 'esm-only', '--no-color', tarball));
check('nestjs-chasqui/engine loads without Nest', engineAlone);

const { RedisServer, resolveServerBinary } = await import('../dist/testing/index.js');
/** What the app prints, whatever the version of Nest: see check-package/app.ts. */
const EXPECTED = [
  'completed ada@example.com: intercepted: sent to ada@example.com',
  'completed nobody@example.com: filtered: nobody@example.com',
  'dead no address: unrecoverable: Payload rejected by a pipe of WelcomeProcessor.send (AppModule): to must be an email',
  'dead guarded@example.com: unrecoverable: Job refused by a guard of WelcomeProcessor.send (AppModule): Forbidden resource',
];

const binary = await resolveServerBinary({ install: true, log: (line) => console.log(line) });
const server = await RedisServer.start({ binary });
try {
  for (const app of APPS) {
    const { name, type, typescript } = app;
    check(`a bare ${name} app (${type}, TypeScript ${typescript})`, () => bareApp(app, server.port));
  }
} finally {
  await server.stop();
}

/** Says what is checked and how long it took; ends everything when it fails. */
function check(name, run) {
  const begun = performance.now();
  const result = run();
  console.log(`ok ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
  return result;
}

function pack() {
  const [{ filename, files }] = JSON.parse(npm(root, 'pack', '--json', '--pack-destination', work));
  const expected = /^(dist\/.+\.(js|d\.ts)|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
  const strange = files.map(({ path }) => path).filter((path) => !expected.test(path));
  if (strange.length > 0) fail('npm pack', `does not belong into the package: ${strange.join(', ')}`);
  return join(work, filename);
}

/** With no Nest package anywhere on the path, an import of one would fail. */
function engineAlone() {
  const dir = folder('engine');
  install(dir, { type: 'module', dependencies: { 'nestjs-chasqui': `file:${tarball}` } }, '--omit=peer');
  if (existsSync(join(dir, 'node_modules', '@nestjs')))
    fail('engine', 'Nest was installed along with the engine');
  for (const path of ['engine', 'testing']) {
    node(dir, '--input-type=module', '-e', `await import('nestjs-chasqui/${path}')`);
  }
}

function bareApp({ name, nest, type, typescript }, redisPort) {
  const dir = folder(name.toLowerCase().replace(' ', '-'));
  install(dir, {
    type,
    dependencies: {
      '@nestjs/common': nest,
      '@nestjs/core': nest,
      // Of the same major versions.
      '@nestjs/terminus': nest,
      'nestjs-chasqui': `file:${tarball}`,
      'reflect-metadata': '^0.2.0',
      rxjs: '^7.8.0',
      'class-transformer': '^0.5.1',
      'class-validator': '^0.15.1',
    },
    devDependencies: { '@types/node': '^20.0.0', typescript },
  });
  copyFileSync(join(root, 'scripts', 'check-package', 'app.ts'), join(dir, 'app.ts'));
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
    outDir: 'out',
    rootDir: '.',
  };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  node(dir, tsc);

  // Our own declarations must hold without skipLibCheck too; those of others are not ours to judge.
  const strict = spawnSync(process.execPath, [tsc, '--noEmit', '--skipLibCheck', 'false'], { cwd: dir });
  const ours = String(strict.stdout)
    .split('\n')
    .filter((line) => line.startsWith('node_modules/nestjs-chasqui/'));
  if (ours.length > 0) fail(name, `the declarations do not compile:\n${ours.join('\n')}`);

  const env = { ...process.env, REDIS_PORT: String(redisPort) };
  const output = run(process.execPath, [join('out', 'app.js')], dir, env);
  // What the app says of its enhancers is the same text for both, so that the two give the same results.
  for (const line of EXPECTED) {
    if (!output.includes(line)) fail(name, `the app did not say ${JSON.stringify(line)}:\n${output}`);
  }
}

function folder(name) {
  const dir = join(work, name);
  mkdirSync(dir);
  return dir;
}

function install(dir, manifest, ...flags) {
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'bare', private: true, ...manifest }));
  npm(dir, 'install', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline', ...flags);
}

function npm(dir, ...args) {
  return run('npm', args, dir);
}

function node(dir, ...args) {
  return run(process.execPath, args, dir);
}

function bin(name, ...args) {
  return run(join(root, 'node_modules', '.bin', name), args, root);
}

function run(program, args, cwd, env = process.env) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: program === process.execPath ? RUN_TIMEOUT_MS : undefined,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return stdout;
  const how =
    error?.code === 'ETIMEDOUT' ? `did not end in ${RUN_TIMEOUT_MS} ms` : `ended with ${signal ?? status}`;
  fail([program, ...args].join(' '), `${how}:\n${error ?? ''}\n${stdout}\n${stderr}`);
}

function fail(name, why) {
  console.error(`FAILED ${name}: ${why}`);
  process.exit(1);
}
