import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

interface Block {
  /** `README.md:41`, for the message. */
  place: string;
  file: string;
  code: string;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    const name = `${page.replaceAll(/\W/g, '_')}_${String(line)}.ts`;
    return {
      place: `${page}:${String(line)}`,
      file: join(root, 'test', 'docs', name),
      code: `${match[1] ?? ''}\nexport {};\n`,
    };
  });
}

const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const blocks = pages.flatMap(blocksOf);

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
  const virtual = new Map(blocks.map((block) => [block.file, block]));
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists(path);
  host.readFile = (path) => virtual.get(path)?.code ?? readFile(path);
  host.getSourceFile = (path, target, ...rest) => {
    const block = virtual.get(path);
    return block ? ts.createSourceFile(path, block.code, target) : getSourceFile(path, target, ...rest);
  };
  const program = ts.createProgram([...virtual.keys()], options, host);
  const problems = new Map<string, string[]>();
  for (const { file, place } of blocks) {
    const source = program.getSourceFile(file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    problems.set(
      place,
      found.map((problem) => ts.flattenDiagnosticMessageText(problem.messageText, '\n')),
    );
  }
  return problems;
}

describe('code in README.md and docs/', () => {
  const problems = problemsByPlace();

  it('is there', () => {
    expect(blocks.length).toBeGreaterThan(4);
  });

  it.each(blocks.map(({ place }) => place))('compiles as printed: %s', (place) => {
    expect(problems.get(place)).toEqual([]);
  });
});

describe('links in README.md and docs/', () => {
  it.each(pages)('lead somewhere: %s', (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const base = new URL(page, `file://${root}`);
    const broken = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map((match) => match[1] ?? '')
      .filter(
        (target) =>
          !ts.sys.fileExists(new URL(target, base).pathname) &&
          !ts.sys.directoryExists(new URL(target, base).pathname),
      );
    expect(broken).toEqual([]);
  });
});
