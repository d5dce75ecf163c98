import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { blocksOf, languagesOf, pages, textOf, type Block } from './support/blocks.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const blocks = pages.flatMap((page) => blocksOf(page));

/** Where a block seems to stand, for the compiler. */
const fileOf = ({ page, line }: Block): string =>
  join(root, 'test', 'docs', `${page.replaceAll(/\W/g, '_')}_${String(line)}.ts`);

/** What a reader copies must compile as it is printed, against the sources of this package. */
function problemsByPlace(): Map<string, string[]> {
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config,
    ts.sys,
    root,
  );
  const options: ts.CompilerOptions = {
    ...config.options,
    noEmit: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
    paths: {
      'nestjs-chasqui': [join(root, 'lib/index.ts')],
      'nestjs-chasqui/*': [join(root, 'lib/*/index.ts')],
    },
  };
  const virtual = new Map(blocks.map((block) => [fileOf(block), `${block.code}\nexport {};\n`]));
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists(path);
  host.readFile = (path) => virtual.get(path) ?? readFile(path);
  host.getSourceFile = (path, target, ...rest) => {
    const code = virtual.get(path);
    return code === undefined
      ? getSourceFile(path, target, ...rest)
      : ts.createSourceFile(path, code, target);
  };
  const program = ts.createProgram([...virtual.keys()], options, host);
  const problems = new Map<string, string[]>();
  for (const block of blocks) {
    const source = program.getSourceFile(fileOf(block));
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    problems.set(
      block.place,
      found.map((problem) => ts.flattenDiagnosticMessageText(problem.messageText, '\n')),
    );
  }
  return problems;
}

describe('code in README.md and docs/', () => {
  const problems = problemsByPlace();

  it('is there', () => {
    expect(blocks.length).toBeGreaterThan(40);
  });

  it.each(blocks.map(({ place }) => place))('compiles as printed: %s', (place) => {
    expect(problems.get(place)).toEqual([]);
  });

  // That test file fails if it leaves a block of its page out: see `docsPage`.
  it.each([...new Set(blocks.map(({ page }) => page))])('is run: %s', (page) => {
    const name = page.replace(/^docs\//, '').replace(/\.md$/, '.test.ts');
    const file = join(root, 'test', 'docs', name.toLowerCase());
    expect(existsSync(file), `${page} has TypeScript that no test runs: ${file} is missing`).toBe(true);
    expect(readFileSync(file, 'utf8')).toContain(`docsPage('${page}'`);
  });

  it.each(pages)('is in a language that the tests know: %s', (page) => {
    const unknown = languagesOf(page).filter(
      ({ language }) => !['', 'text', 'ts', 'sh', 'json', 'yaml'].includes(language),
    );
    expect(unknown).toEqual([]);
  });
});

describe('commands in README.md and docs/', () => {
  const { name, scripts, peerDependencies, devDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as { name: string; scripts: object; peerDependencies: object; devDependencies: object };
  // What a page tells the reader to install, the tests have installed too.
  const known = [name, ...Object.keys(peerDependencies), ...Object.keys(devDependencies)];
  const samples = readdirSync(join(root, 'sample')).filter((entry) => /^\d/.test(entry));

  /** Whether the tests have it installed, in the version that a page names. */
  function isKnown(dependency: string): boolean {
    const [, called = '', version] = /^(@?[^@]+)(?:@(.+))?$/.exec(dependency) ?? [];
    if (!known.includes(called) || version === undefined) return known.includes(called);
    const manifest = readFileSync(join(root, 'node_modules', called, 'package.json'), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version === version;
  }

  /** What a command names that there is not. */
  function missing(command: string, args: readonly string[]): readonly string[] {
    switch (command) {
      case 'ci':
        return [];
      case 'start':
        // The others are arguments of the sample.
        return args.slice(0, 1).filter((sample) => !samples.includes(sample));
      case 'test':
        return args.filter((path) => path !== '--' && !existsSync(join(root, path)));
      case 'run':
        return args.slice(0, 1).filter((script) => !(script in scripts));
      case 'install':
      case 'ls':
        return args.filter((dependency) => !isKnown(dependency));
      default:
        return [command];
    }
  }

  const commands = pages.flatMap((page) =>
    [...textOf(page).matchAll(/(?:^|`|&& )npm ([a-z]+)((?: [\w@/.-]+)*)/gm)].map(
      ([line, command = '', args = '']) => [page, line.replace(/^\W+/, ''), command, args] as const,
    ),
  );

  it.each(commands)('%s: %s', (_page, _line, command, args) => {
    expect(missing(command, args.split(' ').filter(Boolean))).toEqual([]);
  });
});

describe('links in README.md and docs/', () => {
  const { homepage } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { homepage: string };
  const repository = homepage.replace(/#.*$/, '');
  const raw = repository.replace('github.com', 'raw.githubusercontent.com');
  const ours = [`${repository}/blob/main/`, `${raw}/main/`];

  /** Inline links and images, and definitions of reference links. */
  const linksOf = (page: string): string[] =>
    [...textOf(page).matchAll(/\]\(([^)\s]+)|^\[[^\]]+\]: (\S+)$/gm)].map(
      ([, inline, defined]) => inline ?? defined ?? '',
    );

  /** Where a link into this repository leads, as a file. */
  const targetOf = (page: string, link: string): URL => {
    const prefix = ours.find((start) => link.startsWith(start));
    return prefix === undefined
      ? new URL(link, new URL(page, `file://${root}`))
      : new URL(link.slice(prefix.length), `file://${root}`);
  };

  /** As GitHub makes them of headings. */
  const anchorsOf = (file: URL): string[] =>
    [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(
      ([, heading = '']) =>
        `#${heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-')}`,
    );

  it.each(pages)('lead somewhere: %s', (page) => {
    const broken = linksOf(page).filter((link) => {
      const target = targetOf(page, link);
      if (target.protocol !== 'file:') return target.href.startsWith(`${repository}/blob/`);
      const { hash } = target;
      target.hash = '';
      return !existsSync(target) || (hash !== '' && !anchorsOf(target).includes(hash));
    });
    expect(broken).toEqual([]);
  });

  it('lead somewhere from the page of the package on npm, where there is no docs/', () => {
    expect(linksOf('README.md').filter((link) => !/^(https:|#)/.test(link))).toEqual([]);
    expect(
      linksOf('README.md').filter((link) => link.startsWith(`${repository}/blob/main/docs/`)).length,
    ).toBeGreaterThan(10);
  });

  it('use no reference that is not defined', () => {
    const used = [...textOf('README.md').matchAll(/\[([^\][]+\.md)\](?![(:])/g)].map(
      (match) => match[1] ?? '',
    );
    expect(used.filter((label) => !textOf('README.md').includes(`\n[${label}]: `))).toEqual([]);
  });
});
