import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const nodeGlobals = [
  ...[
    'AbortController',
    'AbortSignal',
    'Buffer',
    'console',
    'performance',
    'process',
    'URL',
    'URLSearchParams',
  ],
  ...['TextDecoder', 'TextEncoder', 'structuredClone', 'queueMicrotask', 'fetch', 'globalThis'],
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'],
];

/**
 * Names of functions, classes and types that the glossary in docs/architecture.md replaces, and whose words are right
 * elsewhere. For words that are wrong everywhere, see cspell.config.cjs.
 */
const REPLACED_NAMES = [
  [/^#?give(n|s)?$/, 'a verb for what it does, such as assertOptions'],
  [/^[A-Z]\w*Waits$/, 'ResultWaiters'],
  [/^#?(die|died|dies)$/, 'deadLetter'],
  [/^#?look(s|At|For)?$/, 'poll, find or read'],
  [/^#?once[A-Z]/, 'callDedup'],
];
const REPLACED_MODULES = [
  [
    /\/(give-back|given|place|once|waits|owned|letters?|looks?)(\.[\w-]+)*\.m?js$/,
    'the word of the glossary',
  ],
];
/** A name where it is declared. A variable may have any name: `given` is a good one for what a caller has passed. */
const DECLARED = [
  'FunctionDeclaration[id.name=NAME]',
  'ClassDeclaration[id.name=NAME]',
  'TSInterfaceDeclaration[id.name=NAME]',
  'TSTypeAliasDeclaration[id.name=NAME]',
  'MethodDefinition[key.name=NAME]',
];
const glossary = [
  ...REPLACED_NAMES.map(([name, instead]) => ({
    selector: DECLARED.map((declared) => declared.replace('NAME', String(name))).join(),
    message: `The glossary has another word: ${instead}.`,
  })),
  ...REPLACED_MODULES.map(([path, instead]) => ({
    selector: `ImportDeclaration[source.value=${String(path)}]`,
    message: `Name the file by ${instead}.`,
  })),
];

export default defineConfig(
  // The apps of the package check are compiled where the packed package is installed, with the options of an app.
  globalIgnores([
    'dist*/',
    'coverage/',
    'bench/report*',
    '**/*.d.{ts,mts}',
    '**/*.generated.ts',
    'scripts/check-package/**/*.ts',
  ]),
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['vitest.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Nest needs the imports of constructor parameters at run time, which this rule cannot know.
      '@typescript-eslint/consistent-type-imports': 'off',
      // A module, a pipe or a guard is a class because of its decorator, even if it is empty.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true, allowEmpty: true }],
      // Numbers and booleans are readable in a message, unlike objects.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `() => clearTimeout(timer)` is plain enough.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      // It asks for `!`, which no-non-null-assertion forbids.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // It assumes that a field does not change during an await, and would remove checks that matter.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Nest types its options as classes and documents object literals for them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // A method may be async because its contract is.
      '@typescript-eslint/require-await': 'off',
      // `() => {}` means to do nothing.
      '@typescript-eslint/no-empty-function': ['error', { allow: ['arrowFunctions'] }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // process.env['NAME'] and process.env.NAME are both fine.
      '@typescript-eslint/dot-notation': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['**/*.{ts,tsx}'],
    rules: { 'no-restricted-syntax': ['error', ...glossary] },
  },
  {
    files: ['lib/**/*.{ts,tsx}'],
    ignores: ['lib/redis/timer.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...glossary,
        {
          selector:
            'CallExpression[callee.name=/^set(Timeout|Interval)$/]:not([arguments.1.type="Literal"]):not([arguments.1.name=/^[A-Z_]+$/])',
          message: 'Above 2^31 - 1 ms it fires after 1 ms: use Timer or sleep of lib/redis/timer.ts.',
        },
        {
          selector: 'CallExpression[callee.object.name="AbortSignal"][callee.property.name="timeout"]',
          message: 'Above 2^32 - 1 ms it throws: use a Timer of lib/redis/timer.ts.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Mocks and assertions take methods off their objects.
      '@typescript-eslint/unbound-method': 'off',
      // In a test, a wrong assumption fails the test.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A test often needs a handler that does nothing.
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { globals: Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])) },
    rules: { eqeqeq: ['error', 'always', { null: 'ignore' }] },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: { module: 'writable', require: 'readonly' } },
  },
);
