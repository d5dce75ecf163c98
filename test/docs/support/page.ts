import { describe, expect, it, vi, beforeEach } from 'vitest';
import type { TestRedis } from '../../support/redis.js';
import { blockModule } from './block-modules.js';
import { blocksOf } from './blocks.js';

let copies = 0;

/**
 * A page of the documentation, for the test file of it: `block` takes one block of the page, and gives what runs it.
 * Each block has to be taken, or a test of the file fails and says where it stands.
 */
export function docsPage(page: string, redis: TestRedis) {
  const blocks = blocksOf(page);
  const untaken = new Set(blocks);

  function take(heading: string, nth: number) {
    const block = blocks.find((candidate) => candidate.heading === heading && candidate.nth === nth);
    if (!block) throw new Error(`${page} has no block ${String(nth)} under "${heading}"`);
    untaken.delete(block);
    return block;
  }

  /**
   * Takes the nth block under a heading. What is returned runs it, anew each time, and resolves with its exports.
   */
  function block<Exports = unknown>(heading: string, nth = 1): () => Promise<Exports> {
    const { line } = take(heading, nth);
    return () => import(/* @vite-ignore */ blockModule(page, line, redis.port, ++copies)) as Promise<Exports>;
  }

  /** Takes a block that is a test file: its tests and hooks become those of this one. */
  function suite(heading: string, nth = 1): void {
    const { line, place } = take(heading, nth);
    // It brings its own server; nothing listens on this port.
    describe(place, async () => {
      await import(/* @vite-ignore */ blockModule(page, line, 1, ++copies));
    });
  }

  // The pages read these; nothing that a developer has set may lead a block to another Redis.
  beforeEach(() => {
    vi.stubEnv('REDIS_URL', redis.url);
  });

  // Called once the test file has been read to its end, and so has taken what it takes.
  describe(page, () => {
    it('has no block that is not run', () => {
      expect([...untaken].map(({ place }) => place)).toEqual([]);
    });
  });

  return { block, suite };
}
