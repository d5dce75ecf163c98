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
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['vitest.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Constructor parameters that Nest injects need their import at run time, which this rule cannot know.
      '@typescript-eslint/consistent-type-imports': 'off',
      // A module, a pipe or a guard is a class by its decorator, whatever it holds.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true, allowEmpty: true }],
      // Numbers and booleans read well in a message, and cannot say "[object Object]".
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
      // It takes a field that was tested before an await to be unchanged after it, so heeding it would remove checks
      // that matter.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Nest types its options as classes and documents object literals for them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // A method that keeps a contract may have nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // `() => {}` is how one says that nothing is to be done.
      '@typescript-eslint/no-empty-function': ['error', { allow: ['arrowFunctions'] }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // process.env['NAME'] and process.env.NAME are both fine.
      '@typescript-eslint/dot-notation': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['lib/**/*.ts'],
    ignores: ['lib/redis/timer.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
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
      // In a test a wrong assumption fails the test, which is what it is for.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A handler there often only has to be there.
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
