import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SILENT } from '../support/nest.js';
import { useRedis } from '../support/redis.js';
import { blocksOf, textOf } from './support/blocks.js';
import { docsPage } from './support/page.js';

const redis = useRedis();
const { block } = docsPage('docs/monitoring.md', redis);

const api = block<{ ApiModule: Type }>('Scale the workers');

let app: INestApplication | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
});

describe('the scaler', () => {
  it('answers as the page shows, to who has the token', async () => {
    vi.stubEnv('SCALER_TOKEN', 'of this test');
    const module = await Test.createTestingModule({ imports: [(await api()).ApiModule] })
      .setLogger(SILENT)
      .compile();
    app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    const get = async (token: string): Promise<Response> =>
      fetch(`${await app!.getUrl()}/chasqui/scale/mail`, { headers: { authorization: `Bearer ${token}` } });
    expect((await get('another')).status).toBe(403);
    const response = await get('of this test');
    expect(response.status).toBe(200);
    const shown = JSON.parse(blocksOf('docs/monitoring.md', 'json')[0]?.code ?? '') as object;
    const answer = (await response.json()) as object;
    expect(Object.keys(answer)).toEqual(Object.keys(shown));
    const text = textOf('docs/monitoring.md');
    for (const field of Object.keys(answer)) {
      if (field !== 'queue') expect(text).toMatch(new RegExp(`^\\| \`${field}\``, 'm'));
    }
  });
});
