import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { checkOptions } from '../../lib/engine/config/check-options.js';
import type { Schema } from '../../lib/engine/config/check-options.js';
import { queueEventsSchema } from '../../lib/engine/config/options/events.js';
import { jobSchema } from '../../lib/engine/config/options/job.js';
import { queueSchema } from '../../lib/engine/config/options/queue.js';
import { repeatSchema } from '../../lib/engine/config/options/repeat.js';
import { workerSchema } from '../../lib/engine/config/options/worker.js';

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

describe('an option of BullMQ that does not exist here', () => {
  const schemas: Record<string, Schema<Record<string, unknown>>> = {
    'interfaces/queue-options.d.ts': { ...queueSchema, ...queueEventsSchema },
    'interfaces/worker-options.d.ts': workerSchema,
    'interfaces/sandboxed-options.d.ts': workerSchema,
    'interfaces/base-job-options.d.ts': jobSchema,
    'types/job-options.d.ts': jobSchema,
    'interfaces/repeat-options.d.ts': repeatSchema,
  };
  // Fields of an option, and what the page has a row for.
  const other = new Set([
    'events',
    'maxLen',
    'metadata',
    'omitContext',
    'key',
    'jobId',
    'immediately',
    'count',
  ]);

  it.each(Object.entries(schemas))('is refused by its name, with what to do instead: %s', (file, schema) => {
    let refused = 0;
    for (const member of membersOf(file)) {
      if (Object.hasOwn(schema, member) || other.has(member)) continue;
      refused += 1;
      expect(() => checkOptions('options', schema, { [member]: 1 })).toThrow(
        expect.objectContaining({
          code: 'CMQ-100',
          message: expect.stringMatching(
            new RegExp(`^options: option "${member}" of BullMQ does not exist here: .{10,}\\.$`),
          ) as string,
        }) as Error,
      );
    }
    expect(refused).toBeGreaterThan(0);
  });
});
