import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const bullmq = new URL('node_modules/bullmq/dist/esm/', root);
const page = readFileSync(new URL('docs/migrate-from-bullmq.md', root), 'utf8');

/** Every word that stands in code in the text of the page. */
const mentioned = new Set(
  [...page.replace(/^```[^]*?^```/gm, '').matchAll(/`([^`]+)`/g)].flatMap(
    ([, code]) => code?.match(/[\w-]+/g) ?? [],
  ),
);

/** What an EventEmitter has anyway, and how keys in Redis are named. */
const PLUMBING = new Set(['on', 'off', 'once', 'emit', 'removeListener', 'keys', 'toKey']);

/** The public members of the classes, interfaces and type literals that a file declares. */
function membersOf(file: string): string[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(new URL(file, bullmq), 'utf8'),
    ts.ScriptTarget.ES2022,
    true,
  );
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    const isMember = ts.isClassElement(node) || ts.isTypeElement(node);
    if (isMember && node.name && isTop(node, file.startsWith('classes/')) && isPublic(node))
      names.add(node.name.getText().replace(/['"]/g, ''));
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...names].filter((name) => !PLUMBING.has(name));
}

/** Not what stands inside of a member, nor in types of parameters that a file of a class declares beside it. */
function isTop(node: ts.Node, inClassFile: boolean): boolean {
  for (let parent = node.parent; !ts.isSourceFile(parent); parent = parent.parent) {
    if (ts.isClassElement(parent) || ts.isTypeElement(parent)) return false;
    if (ts.isInterfaceDeclaration(parent)) return !inClassFile || parent.name.text.endsWith('Listener');
    if (ts.isTypeAliasDeclaration(parent)) return !inClassFile;
  }
  return true;
}

function isPublic(node: ts.Node): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return (ts.getCombinedModifierFlags(node as ts.Declaration) & hidden) === 0;
}

describe('the page on the way from BullMQ leaves out nothing', () => {
  it.each([
    ['methods of a queue', 'classes/queue.d.ts'],
    ['getters of a queue', 'classes/queue-getters.d.ts'],
    ['a job', 'classes/job.d.ts'],
    ['a worker', 'classes/worker.d.ts'],
    ['queue events', 'classes/queue-events.d.ts'],
    ['a flow producer', 'classes/flow-producer.d.ts'],
    ['options of a queue', 'interfaces/queue-options.d.ts'],
    ['options of a worker', 'interfaces/worker-options.d.ts'],
    ['options of a job', 'interfaces/base-job-options.d.ts'],
    ['more options of a job', 'types/job-options.d.ts'],
    ['options of a schedule', 'interfaces/repeat-options.d.ts'],
    ['settings', 'interfaces/advanced-options.d.ts'],
  ])('of %s', (_what, file) => {
    const members = membersOf(file);
    expect(members.length).toBeGreaterThan(2);
    expect(members.filter((name) => !mentioned.has(name))).toEqual([]);
  });
});
