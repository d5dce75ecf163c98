import { expect, it } from 'vitest';
import * as testing from '../../lib/testing/index.js';
import { useRedis } from '../support/redis.js';
import { textOf } from './support/blocks.js';
import { docsPage } from './support/page.js';

const { suite } = docsPage('docs/testing.md', useRedis());

suite('Without Redis: what does my service add?');
suite('Without Redis: what does my service add?', 2);
suite('Without Redis: what does my service add?', 3);
suite('With Redis: does it work together?');
suite('Test an outage');

it('the page has every helper', () => {
  const text = textOf('docs/testing.md');
  for (const name of Object.keys(testing)) expect(text).toMatch(new RegExp(`\\b${name}\\b`));
});
