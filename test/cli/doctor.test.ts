import { describe, expect, it, vi } from 'vitest';
import { useKit } from '../redis/contract/kit.js';
import { useTerminals } from './support/terminal.js';

/* Each test makes something that is wrong, and `chasqui doctor` finds it. */

vi.setConfig({ testTimeout: 60_000 });

interface Finding {
  check: string;
  severity: string;
  subject: string;
  message: string;
  remedy?: string;
}

// Written to disk, so that a healthy server has no warning.
const kit = useKit({ appendonly: 'everysec' });
const terminals = useTerminals(() => ({ columns: 200, env: { CHASQUI_REDIS_URL: kit.url } }));

async function diagnose(
  args: string[] = [],
  url = kit.url,
): Promise<{ code: number | null; findings: Finding[]; of: (check: string) => Finding[] }> {
  const terminal = await terminals.chasqui('doctor', '--json', ...args, {
    columns: 1_000,
    rows: 400,
    env: { CHASQUI_REDIS_URL: url },
  });
  const { code } = await terminal.exit();
  const { findings } = JSON.parse(terminal.raw) as { findings: Finding[] };
  return { code, findings, of: (check) => findings.filter((finding) => finding.check === check) };
}

describe('the server', () => {
  it('is found healthy, with exit code 0', async () => {
    const { code, findings, of } = await diagnose();
    const bad = findings.filter(({ severity }) => severity !== 'ok' && severity !== 'info');
    // The other tests of this machine may make a script slow.
    expect(bad.filter(({ check }) => check !== 'slow-scripts')).toEqual([]);
    if (bad.length === 0) expect(code).toBe(0);
    expect(of('server-version')[0]?.message).toMatch(/^(Redis|Valkey) \d/);
    expect(of('permissions')).toMatchObject([{ severity: 'ok' }]);
    expect(of('clock')).toMatchObject([{ severity: 'ok' }]);
  });

  it('that drops keys at its memory limit is an error', async () => {
    await kit.client.config('SET', 'maxmemory', '64mb');
    await kit.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const { code, of } = await diagnose();
    expect(code).toBe(11);
    expect(of('eviction')).toMatchObject([
      { severity: 'error', remedy: 'Set "maxmemory-policy noeviction".' },
    ]);
    await kit.client.config('SET', 'maxmemory-policy', 'noeviction');
    await kit.client.config('SET', 'maxmemory', '0');
  });

  it('that writes nothing to disk, cuts off replies or waits for replicas is found', async () => {
    await kit.client.config('SET', 'appendonly', 'no');
    await kit.client.config('SET', 'save', '');
    await kit.client.config('SET', 'client-output-buffer-limit', 'normal 1mb 0 0');
    await kit.client.config('SET', 'min-replicas-to-write', '1');
    const { code, of } = await diagnose();
    await kit.client.config('SET', 'min-replicas-to-write', '0');
    await kit.client.config('SET', 'client-output-buffer-limit', 'normal 0 0 0');
    await kit.client.config('SET', 'appendonly', 'yes');
    expect(code).toBe(11);
    expect(of('persistence')).toMatchObject([{ severity: 'error' }]);
    expect(of('output-buffer')).toMatchObject([{ severity: 'warning' }]);
    expect(of('replicas')).toMatchObject([{ severity: 'error' }]);
  });

  it('says what it could not look at, and what the user may not do', async () => {
    await kit.queue().add('welcome', 1);
    await kit.client.call(
      'ACL',
      'SETUSER',
      'poor',
      'on',
      '>secret',
      '~{chasqui:*',
      '+@all',
      '-config',
      '-slowlog',
      '-acl',
      '-xtrim',
    );
    const { code, findings, of } = await diagnose([], kit.url.replace('://', '://poor:secret@'));
    await kit.client.call('ACL', 'DELUSER', 'poor');
    expect(code).toBe(11);
    expect(of('configuration')[0]).toMatchObject({
      severity: 'info',
      message: expect.stringMatching(/^It could not be checked/) as string,
    });
    expect(of('slow-scripts')[0]).toMatchObject({ severity: 'info' });
    expect(of('permissions')[0]).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('XTRIM') as string,
    });
    expect(JSON.stringify(findings)).not.toContain('secret');
  });

  it('names the commands of the scripts that another user may not call', async () => {
    await kit.client.call('ACL', 'SETUSER', 'half', 'on', '>secret', '~*', '+@all', '-xautoclaim', '-xclaim');
    const { of } = await diagnose([], kit.url.replace('://', '://half:secret@'));
    await kit.client.call('ACL', 'DELUSER', 'half');
    expect(of('permissions')[0]).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('XCLAIM') as string,
    });
  });
});

describe('a queue', () => {
  it('without workers, whose jobs wait, is an error', async () => {
    await kit.queue().add('welcome', 1);
    const { code, of } = await diagnose();
    expect(code).toBe(11);
    expect(of('workers')).toMatchObject([
      { severity: 'error', subject: 'queue mail', message: 'No worker runs, and 1 jobs wait.' },
    ]);
  });

  it('with a worker is well', async () => {
    const worker = kit.worker(async () => undefined);
    await worker.waitUntilReady();
    await kit.queue().add('welcome', 1);
    await vi.waitFor(async () => {
      const { of } = await diagnose(['mail']);
      expect(of('workers')).toMatchObject([{ severity: 'ok', message: 'One worker runs.' }]);
    }, 20_000);
  });

  it('with several groups, and one that was moved past its jobs, is found', async () => {
    await kit.queue().addBulk([
      { name: 'a', data: 1 },
      { name: 'b', data: 2 },
    ]);
    const stream = '{chasqui:mail}:stream';
    await kit.client.xgroup('CREATE', stream, 'default', '$');
    await kit.client.xgroup('CREATE', stream, 'other', '0');
    const { of } = await diagnose();
    expect(of('groups')[0]).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('default, other') as string,
    });
    expect(of('skipped-jobs')).toMatchObject([
      { severity: 'error', message: expect.stringContaining('2 jobs') as string },
    ]);
  });

  it('with jobs of a dead worker is found', async () => {
    await kit.queue().add('a', 1);
    const stream = '{chasqui:mail}:stream';
    await kit.client.xgroup('CREATE', stream, 'default', '0');
    await kit.client.xreadgroup('GROUP', 'default', 'gone-1;lease=1', 'STREAMS', stream, '>');
    const { of } = await diagnose();
    expect(of('dead-workers')).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('1 jobs') as string },
    ]);
  });

  it('whose stream is sealed is found', async () => {
    await kit.client.xadd('{chasqui:mail}:stream', '18446744073709551615-18446744073709551615', 'd', 'x');
    const { code, of } = await diagnose();
    expect(code).toBe(11);
    expect(of('sealed-stream')).toMatchObject([{ severity: 'error' }]);
  });

  it('with a key of another type is found, and the other queues are checked', async () => {
    await kit.client.set('{chasqui:mail}:delayed', 'text');
    await kit.queue({}, 'other').add('a', 1);
    const { code, of } = await diagnose();
    expect(code).toBe(11);
    expect(of('key-types')).toMatchObject([
      {
        severity: 'error',
        subject: 'queue mail',
        message: expect.stringContaining('{chasqui:mail}:delayed is a string') as string,
      },
      { severity: 'ok', subject: 'queue other' },
    ]);
  });

  it('whose keys of a gated queue have another type is found, with all of them', async () => {
    const queue = kit.queue();
    await queue.add('a', 1, { group: { id: 'acme' } });
    const names = [
      'room',
      'gate',
      'slots',
      'ahead',
      'groups',
      'groups:policy',
      'limit',
      'wake:idle',
      'events',
    ];
    for (const name of names) {
      await kit.client.del(`{chasqui:mail}:${name}`);
      await kit.client.set(`{chasqui:mail}:${name}`, 'text');
    }
    const { code, of } = await diagnose();
    expect(code).toBe(11);
    expect(of('key-types').map(({ message }) => message.split(' ')[0])).toEqual(
      expect.arrayContaining(names.map((name) => `{chasqui:mail}:${name}`)),
    );
    await kit.client.del(...names.map((name) => `{chasqui:mail}:${name}`));
  });

  it('whose schedule, group or worker has a key of another type is found', async () => {
    const wrong = ['repeat:spec:tick', 'limit:acme', 'worker:w;lease=1', 'wake:worker:w;lease=1'];
    await kit.queue().addBulk([
      { name: 'a', data: 1, opts: { group: { id: 'acme' } } },
      { name: 'b', data: 1 },
    ]);
    await kit.client.zadd('{chasqui:mail}:repeat', Date.now() + 60_000, 'tick');
    await kit.client.xgroup('CREATE', '{chasqui:mail}:stream', 'default', '0');
    await kit.client.xgroup('CREATECONSUMER', '{chasqui:mail}:stream', 'default', 'w;lease=1');
    for (const name of wrong) await kit.client.set(`{chasqui:mail}:${name}`, 'text');
    const { code, of } = await diagnose();
    expect(code).toBe(11);
    expect(of('key-types').map(({ message }) => message.split(' is a ')[0])).toEqual(
      wrong.map((name) => `{chasqui:mail}:${name}`),
    );
  });

  it('that is paused, has late jobs, dropped dead letters and old schedules is found', async () => {
    const queue = kit.queue();
    await queue.add('a', 1);
    await queue.pause();
    await kit.client.zadd('{chasqui:mail}:delayed', Date.now() - 60_000, 'late');
    await kit.client.set('{chasqui:mail}:dlq:evicted', '12');
    await kit.client.zadd('{chasqui:mail}:repeat', Date.now() - 60_000, 'tick');
    await kit.client.hset('{chasqui:mail}:repeat:spec:tick', 'owner', 'billing');
    const { of } = await diagnose();
    expect(of('paused')).toMatchObject([{ severity: 'warning' }]);
    expect(of('overdue-jobs')).toMatchObject([{ severity: 'error' }]);
    expect(of('dead-letters')[0]).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('12 dead letters') as string,
    });
    expect(of('overdue-schedules')).toMatchObject([{ severity: 'error' }]);
    expect(of('old-schedules')).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('tick (billing)') as string },
    ]);
  });
});

it('prints findings for people, fits a narrow terminal, and -q leaves out what is well', async () => {
  await kit.queue({}, 'odd\x1b[31m').add('welcome', 1);
  const terminal = await terminals.chasqui('doctor', '-q', { columns: 50, rows: 60 });
  expect((await terminal.exit()).code).toBe(11);
  expect(terminal.text).toContain(String.raw`queue odd\x1b[31m`);
  expect(terminal.text).toMatch(
    /error {2}No worker runs, and 1 jobs wait\.\n +→ Start a worker of this queue\./,
  );
  expect(terminal.text).toMatch(/1 error, \d warnings?\. The server and 1 queue\s+were\s+checked\./);
  expect(terminal.styleOf('error').color).toBe(1);
  expect(terminal.text).not.toContain('  ok ');
});

it('refuses a queue that does not exist', async () => {
  await kit.queue().add('welcome', 1);
  const terminal = await terminals.chasqui('doctor', 'mails');
  expect((await terminal.exit()).code).toBe(3);
});
