/**
 * The folders of lib/engine, from the bottom up: a file imports from its own folder and from those before it. The same
 * holds for the folders of worker/, which may all use its settings; worker-core.ts puts them together.
 */
const ENGINE = [
  'base',
  'config',
  'codec',
  'connection',
  'job',
  'enqueue',
  'timers',
  'worker',
  'results',
  'admin',
  'threads',
  'api',
  'index.ts',
];
const WORKER = ['lease', 'settle', 'run', 'fetch', 'worker-core.ts'];

function layersOf(root, layers) {
  return layers.slice(0, -1).map((layer, i) => ({
    name: `${layer}-imports-down`,
    comment: `Imports within ${root} go one way: ${layers.join(' → ')}.`,
    severity: 'error',
    from: { path: `^${root}${layer}/` },
    to: { path: `^${root}(${layers.slice(i + 1).join('|')})(/|$)` },
  }));
}

function engineLayers() {
  return [...layersOf('lib/engine/', ENGINE), ...layersOf('lib/engine/worker/', WORKER)];
}

/**
 * The layers of lib/ and what each may import: an arrow never points up, and there is no cycle.
 *
 *   health | microservices  ->  nest  ->  engine  ->  redis
 *   cli  ->  engine, testing
 *   testing: helpers over engine and the tokens of nest, and servers that stand alone; nothing imports it
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    ...engineLayers(),
    {
      name: 'no-cycle',
      comment: 'A cycle, of types too, has no order in which to read it.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'redis-is-the-bottom',
      comment: 'lib/redis knows commands, keys and scripts, and nothing above them.',
      severity: 'error',
      from: { path: '^lib/redis/' },
      to: { path: '^lib/(?!redis/)' },
    },
    {
      name: 'engine-on-redis-only',
      comment: 'The engine is used without Nest, and observed through sinks that live outside of it.',
      severity: 'error',
      from: { path: '^lib/engine/' },
      to: { path: '^lib/(?!engine/|redis/)' },
    },
    {
      name: 'engine-without-nest',
      comment: 'Importing nestjs-chasqui/engine must load none of these.',
      severity: 'error',
      from: { path: '^lib/(engine|redis|testing|cli)/' },
      to: { path: '(^|/)node_modules/(@nestjs/|rxjs/|reflect-metadata/)' },
    },
    {
      name: 'nest-on-engine',
      comment: 'The Nest layer reaches Redis through the engine.',
      severity: 'error',
      from: { path: '^lib/nest/' },
      to: { path: '^lib/(?!nest/|engine/)' },
    },
    {
      name: 'integration-on-engine-and-nest',
      comment: 'Integrations do not know each other.',
      severity: 'error',
      from: { path: '^lib/(health|scaler|microservices|opentelemetry|bull-board)/' },
      to: { path: '^lib/', pathNot: ['^lib/$1/', '^lib/(engine|nest)/'] },
    },
    {
      name: 'cli-on-engine',
      comment: 'The command line is a user of the engine.',
      severity: 'error',
      from: { path: '^lib/cli/' },
      to: { path: '^lib/', pathNot: '^lib/(cli|engine)/' },
    },
    {
      name: 'cli-is-the-top',
      comment: 'An application that imports the package must not load the command line.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/cli/' },
      to: { path: '^lib/cli/' },
    },
    {
      name: 'cli-libraries-in-cli',
      comment: 'An application that imports the package must not load what only the command line needs.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/cli/' },
      to: {
        path: '(^|/)node_modules/(commander|cli-table3|cli-progress|picocolors|string-width|ink|react)/',
      },
    },
    {
      name: 'testing-is-for-tests',
      comment: 'No production code starts servers.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/testing/' },
      to: { path: '^lib/testing/' },
    },
    {
      name: 'testing-on-engine-and-tokens',
      comment: 'It is loaded where there is no Nest, too.',
      severity: 'error',
      from: { path: '^lib/testing/' },
      to: { path: '^lib/', pathNot: '^lib/(testing|engine)/|^lib/nest/tokens\\.ts$' },
    },
    {
      name: 'testing-stands-alone',
      comment: 'The launcher serves the tests of every layer.',
      severity: 'error',
      from: { path: '^lib/testing/server/' },
      to: { path: '^lib/(?!testing/)' },
    },
    {
      name: 'optional-peers-in-their-place',
      comment: 'Importing nestjs-chasqui must work without them.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/(health|microservices|opentelemetry|bull-board|cli|testing)/' },
      to: { path: '(^|/)node_modules/(@nestjs/(?!common/|core/)|@opentelemetry/|@bull-board/)' },
    },
    {
      name: 'no-private-nest-files',
      comment: 'Only what a Nest package exports at its root is kept stable by Nest.',
      severity: 'error',
      from: {},
      to: {
        path: '(^|/)node_modules/@nestjs/[^/]+/',
        pathNot: '/@nestjs/[^/]+/((dist/)?index\\.(d\\.ts|js)|package\\.json)$',
      },
    },
    {
      name: 'no-dev-dependency',
      comment: 'A user does not get our devDependencies.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional'] },
    },
    {
      name: 'no-undeclared-dependency',
      comment: 'What npm happens to have hoisted is not there for a user.',
      severity: 'error',
      from: { path: '^lib/' },
      // It takes peerDependenciesMeta for a list of dependencies that it does not know.
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // lib/package.json only says what kind of modules these are.
    combinedDependencies: true,
    // Type-only imports are imports between layers as well.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
    },
  },
};
