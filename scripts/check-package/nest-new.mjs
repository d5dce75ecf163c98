import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, fail, folder, install, node, npm, root, run, work } from './tools.mjs';

const BOOT_MS = 30_000;
/** The output of `enhancers.ts`, which is the same on every version of Nest. */
const ENHANCERS = [
  'completed ada@example.com: intercepted: sent to ada@example.com',
  'completed nobody@example.com: filtered: nobody@example.com',
  'dead no address: unrecoverable: Payload rejected by a pipe of WelcomeProcessor.send (AppModule): to must be an email',
  'dead guarded@example.com: unrecoverable: Job refused by a guard of WelcomeProcessor.send (AppModule): Forbidden resource',
];
/** The options of an older application, whose `moduleResolution` does not read `exports`. */
const OLD_OPTIONS = {
  module: 'commonjs',
  target: 'es2021',
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  allowSyntheticDefaultImports: true,
  skipLibCheck: true,
  noEmit: true,
};

const [major, minor] = process.versions.node.split('.').map(Number);

/** What `nest new` generates. `old`: its TypeScript can still resolve modules in the old way. */
export const GENERATED = [
  {
    name: 'Nest 11, CommonJS and Jest',
    nest: 11,
    generate: nestNew,
    extension: '',
    old: true,
    webpack: true,
  },
  { name: 'Nest 12, ES modules and Vitest', nest: 12, generate: nestNew, extension: '.js' },
  // Its Jest must `require` ES modules, which needs Node.js 24.9.
  ...(major > 24 || (major === 24 && minor >= 9)
    ? [{ name: 'Nest 12, CommonJS and Jest', nest: 12, generate: nestNewCommonJs, extension: '' }]
    : []),
];

/** Adds a queue and a processor to a generated application, and runs its own commands: test, build and start. */
export async function generatedApp({ name, nest, generate, extension, old, webpack }, tarball, redis) {
  const env = { REDIS_URL: redis.url, REDIS_PORT: String(redis.port), PORT: '0', CI: '1', NO_COLOR: '1' };
  const dir = check(`${name}: nest new`, () => generate(nest));
  check(`${name}: npm install`, () =>
    install(
      dir,
      tarball,
      ...['@nestjs/terminus', '@nestjs/microservices'].map((peer) => `${peer}@${nest}`),
      'class-validator',
      'class-transformer',
    ),
  );
  addMails(dir, extension);
  check(`${name}: npm test`, () => npm(dir, ['test'], env));
  check(`${name}: npm run test:e2e`, () => npm(dir, ['run', 'test:e2e'], env));
  check(`${name}: npm run build`, () => npm(dir, ['run', 'build']));
  check(`${name}: our declarations without skipLibCheck`, () => declarations(name, dir));
  if (old) check(`${name}: an old tsconfig.json`, () => oldOptions(dir));
  check(`${name}: enhancers and health`, () => {
    const output = node(dir, [join('dist', 'enhancers.js')], env);
    for (const line of ENHANCERS) {
      if (!output.includes(line)) fail(name, `the app did not say ${JSON.stringify(line)}:\n${output}`);
    }
  });
  await starts(`${name}: npm run start:prod`, dir, 'npm', ['run', 'start:prod'], env);
  if (webpack) await oneFile(name, dir, env);
  rmSync(dir, { recursive: true, force: true });
}

function nestNew(version) {
  const app = `nest-${version}`;
  const cli = [
    'exec',
    '--yes',
    '--prefer-offline',
    `--package=@nestjs/cli@${version}`,
    '--',
    'nest',
    'new',
    app,
  ];
  npm(work, [...cli, '--skip-git', '--skip-install', '--package-manager', 'npm']);
  return join(work, app);
}

/** `nest new` asks for the module system, but only at a terminal. So this runs the schematics that it runs. */
function nestNewCommonJs(version) {
  const dir = folder(`nest-${version}-commonjs`);
  const tools = ['@angular-devkit/schematics-cli', `@nestjs/schematics@${version}`];
  install(dir, '--no-save', ...tools, `@nestjs/cli@${version}`);
  const options = ['--name=app', '--type=cjs', '--language=ts', '--package-manager=npm'];
  const schematics = join(dir, 'node_modules', '.bin', 'schematics');
  run(schematics, ['@nestjs/schematics:application', ...options, '--no-debug', '--no-dry-run'], dir);
  return join(dir, 'app');
}

function addMails(dir, extension) {
  const source = join(root, 'scripts', 'check-package', 'nest-new');
  for (const file of ['mail.module.ts', 'mail.module.spec.ts', 'enhancers.ts']) {
    const text = readFileSync(join(source, file), 'utf8');
    writeFileSync(join(dir, 'src', file), text.replace(`'./mail.module'`, `'./mail.module${extension}'`));
  }
  const path = join(dir, 'src', 'app.module.ts');
  const module = readFileSync(path, 'utf8').replace('imports: []', 'imports: [MailModule]');
  writeFileSync(path, `import { MailModule } from './mail.module${extension}';\n${module}`);
}

/** Checks the declarations of this package, and ignores those of other packages. */
function declarations(name, dir) {
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  const strict = spawnSync(process.execPath, [tsc, '--noEmit', '--skipLibCheck', 'false'], { cwd: dir });
  const ours = String(strict.stdout)
    .split('\n')
    .filter((line) => line.startsWith('node_modules/nestjs-chasqui/'));
  if (ours.length > 0) fail(name, `the declarations do not compile:\n${ours.join('\n')}`);
}

function oldOptions(dir) {
  const file = join(dir, 'tsconfig.old.json');
  writeFileSync(file, JSON.stringify({ compilerOptions: OLD_OPTIONS, include: ['src'] }));
  node(dir, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', file]);
}

/** Bundles the application with all of its dependencies, and runs the bundle in an empty folder. */
async function oneFile(name, dir, env) {
  const bare = mkdtempSync(join(tmpdir(), 'chasqui-one-file-'));
  try {
    copyFileSync(
      join(root, 'scripts', 'check-package', 'webpack.config.cjs'),
      join(dir, 'webpack.config.js'),
    );
    check(`${name}: nest build --webpack`, () => run('npx', ['nest', 'build', '--webpack'], dir));
    mkdirSync(join(bare, 'dist'));
    copyFileSync(join(dir, 'dist', 'main.js'), join(bare, 'dist', 'main.js'));
    await starts(`${name}: the bundle, alone`, bare, process.execPath, ['dist/main.js'], env);
  } finally {
    rmSync(bare, { recursive: true, force: true });
  }
}

/** Starts the application, and stops it when it has run a job. */
async function starts(name, cwd, program, args, env) {
  const begun = performance.now();
  // In its own process group, because npm runs a shell that runs the application.
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  const ran = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (output.includes('MAIL sent to boot@example.com')) resolve(true);
      });
    }
    child.on('exit', () => resolve(false));
    setTimeout(resolve, BOOT_MS, false).unref();
  });
  const done = await ran;
  if (child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  await exited;
  if (!done) fail(name, `the application ran no job:\n${output}`);
  console.log(`ok ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
}
