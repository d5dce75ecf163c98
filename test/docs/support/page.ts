import { afterAll, beforeEach, describe, vi, type RunnerTask } from 'vitest';
import type { TestRedis } from '../../support/redis.js';
import { blockModule } from './block-modules.js';
import { blocksOf, type Block } from './blocks.js';

let copies = 0;

/**
 * A page of the documentation, for the test file of it: `block` gives what runs one block of the page, `suite` runs one
 * that is a test file. The file fails if all of its tests pass and a block was not run, and says where that stands.
 */
export function docsPage(page: string, redis: TestRedis) {
  const blocks = blocksOf(page);
  const notRun = new Set(blocks);

  function find(heading: string, nth: number): Block {
    const block = blocks.find((candidate) => candidate.heading === heading && candidate.nth === nth);
    if (!block) throw new Error(`${page} has no block ${nth} under "${heading}"`);
    return block;
  }

  async function run(block: Block, redisPort: number): Promise<unknown> {
    notRun.delete(block);
    copies += 1;
    return import(/* @vite-ignore */ blockModule(page, block.line, redisPort, copies));
  }

  /** For the nth block under a heading: what is returned runs it, anew each time, and resolves with its exports. */
  function block<Exports = unknown>(heading: string, nth = 1): () => Promise<Exports> {
    const found = find(heading, nth);
    return async () => (await run(found, redis.port)) as Exports;
  }

  /** Makes the tests and hooks of a block those of the test file. */
  function suite(heading: string, nth = 1): void {
    const found = find(heading, nth);
    describe(found.place, async () => {
      // It brings a server of its own, if it needs one; where it says an address nothing answers.
      await run(found, 1);
    });
  }

  beforeEach(() => {
    // Pages read it; what a developer has set must not lead a block to another Redis.
    vi.stubEnv('REDIS_URL', redis.url);
  });

  // eslint-disable-next-line no-empty-pattern -- vitest asks for a pattern
  afterAll(({}, { tasks }) => {
    // Not if some were left out (`-t`) or have failed.
    if (notRun.size === 0 || !tasks.every(hasPassed)) return;
    throw new Error(`No test runs ${[...notRun].map(({ place }) => place).join(', ')}`);
  });

  return { block, suite };
}

function hasPassed(task: RunnerTask): boolean {
  return task.type === 'suite' ? task.tasks.every(hasPassed) : task.result?.state === 'pass';
}
