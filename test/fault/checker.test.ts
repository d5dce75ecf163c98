import { describe, expect, it } from 'vitest';
import { compare, violations } from '../support/fault/checker.js';
import type { Stored } from '../support/fault/checker.js';
import { plant } from '../support/fault/plant.js';
import type { Bug } from '../support/fault/plant.js';
import { ENGINE, Rig } from '../support/fault/rig.js';
import type { LedgerRecord } from '../support/fault/ledger.mjs';
import { TcpProxy } from '../support/proxy.js';
import { useRedis } from '../support/redis.js';

const redis = useRedis({ leakCheck: false });
const LEASE_MS = 600;
const worker = { claimMinIdleMs: LEASE_MS, blockMs: 500, concurrency: 10 };

describe('the checker on ledgers', () => {
  const nothing: Stored = { stream: [], delayed: [], room: [], dlq: [], commits: [] };
  const record = (
    kind: LedgerRecord['kind'],
    id: string,
    more: Partial<LedgerRecord> = {},
  ): LedgerRecord => ({
    at: 0,
    by: 'test',
    kind,
    id,
    ...more,
  });
  const added = [record('ATTEMPT', 'a', { hash: 'h' }), record('ACK', 'a')];
  const ran = [record('START', 'a', { attempt: 1, hash: 'h' }), record('FINISH', 'a')];
  const found = (records: LedgerRecord[], stored: Partial<Stored> = {}, removed: string[] = []): string[] =>
    violations(compare(records, { ...nothing, ...stored }, removed));

  it('has nothing to say of a job that finished, is stored, or was removed', () => {
    expect(found([...added, ...ran], { commits: ['a'] })).toEqual([]);
    expect(found(added, { stream: ['a'] })).toEqual([]);
    expect(found(added, { delayed: ['a'] })).toEqual([]);
    expect(found(added, { dlq: ['a'] })).toEqual([]);
    expect(found(added, {}, ['a'])).toEqual([]);
    expect(found([record('ATTEMPT', 'a'), record('UNKNOWN', 'a')])).toEqual([]);
  });

  it.each([
    ['lost', added, {}],
    ['phantom', ran, {}],
    ['phantom', [...added, record('START', 'a', { hash: 'other' }), record('FINISH', 'a')], {}],
    ['phantom', [], { dlq: ['a'] }],
    ['refused, but there', [record('ATTEMPT', 'a'), record('REJECT', 'a')], { stream: ['a'] }],
    ['committed twice', [...added, ...ran], { commits: ['a', 'a'] }],
    ['in two places', added, { stream: ['a'], delayed: ['a'] }],
    ['in two places', added, { stream: ['a', 'a'] }],
    ['committed without a run', added, { commits: ['a'], dlq: ['a'] }],
    ['extra runs', [...added, ...ran, ...ran], {}],
  ] as [string, LedgerRecord[], Partial<Stored>][])('finds what is %s', (what, records, stored) => {
    const [first = 'nothing found', ...others] = found(records, stored);
    expect(first.startsWith(what)).toBe(true);
    expect(others).toEqual([]);
  });
});

/** What a run of the engine breaks, in words; a queue that does not drain is one of the findings. */
async function drainedViolations(rig: Rig, ms = 2_000): Promise<string[]> {
  const stalled = await rig.drained(redis.client, ms).then(
    () => [],
    () => ['stalled'],
  );
  return [...stalled, ...violations(await rig.check(redis.client), { extraRuns: Infinity })];
}

const tasks = (
  count: number,
  task: 'finish' | 'fail',
  options = {},
): { id: string; task: { do: typeof task } }[] =>
  Array.from({ length: count }, (_, i) => ({ id: `${task}-${i}`, task: { do: task }, ...options }));

/** Gives the one entry that is pending to the other consumer of the group, whose worker finds it at its next heartbeat. */
async function passToAnother(stream: string): Promise<void> {
  const [[entry, holder]] = (await redis.client.xpending(stream, 'default', '-', '+', 1)) as [
    [string, string],
  ];
  const consumers = (await redis.client.xinfo('CONSUMERS', stream, 'default')) as string[][];
  const names = consumers.map((fields) => fields[fields.indexOf('name') + 1] as string);
  const other = names.find((name) => name !== holder && !name.startsWith('released;')) as string;
  await redis.client.xclaim(stream, 'default', other, 0, entry, 'JUSTID');
}

/** Each shows one bug, and nothing where the engine has none. */
const scenarios = {
  async 'jobs wait before the first worker comes'(rig: Rig) {
    const producer = await rig.fork('producer');
    await producer.add(tasks(200, 'finish'));
    await rig.spawn('worker', worker);
    return drainedViolations(rig);
  },
  async 'a worker is killed'(rig: Rig) {
    const doomed = await rig.spawn('doomed', worker);
    const producer = await rig.fork('producer');
    await producer.add([{ id: 'running', task: { do: 'hold' } }, ...tasks(20, 'finish')]);
    await rig.until('FINISH', 20, 5_000);
    await doomed.kill();
    const heir = await rig.spawn('heir', worker);
    await heir.release();
    return drainedViolations(rig);
  },
  async 'jobs fail and are retried'(rig: Rig) {
    const producer = await rig.fork('producer');
    await producer.add(tasks(20, 'fail', { options: { attempts: 2, backoff: 10 } }));
    await rig.spawn('worker', worker);
    return drainedViolations(rig);
  },
  async 'jobs are delayed'(rig: Rig) {
    const producer = await rig.fork('producer');
    await producer.add(tasks(20, 'finish', { options: { delay: 100 } }));
    await rig.spawn('worker', worker);
    return drainedViolations(rig);
  },
  async 'a job is taken from a worker that does not know it yet'(rig: Rig) {
    // Its heartbeat is slow. The test takes its job away by hand: workers respect its lease.
    const robbed = await rig.spawn('robbed', { ...worker, claimMinIdleMs: 60_000 });
    const producer = await rig.fork('producer');
    await producer.add([{ id: 'running', task: { do: 'hold-deaf' } }]);
    await rig.until('START', 1, 5_000, 'robbed');
    const heir = await rig.spawn('heir', worker);
    await passToAnother(rig.keys.stream);
    await rig.until('START', 1, 5_000, 'heir');
    await heir.release();
    await rig.until('COMPLETED', 1, 5_000, 'heir');
    await robbed.release();
    await rig.until('FINISH', 1, 5_000, 'robbed');
    await robbed.close();
    return drainedViolations(rig);
  },
};

const bugs: [bug: string, scenario: keyof typeof scenarios, finds: RegExp, patch: Bug][] = [
  [
    'a bound on the work stream',
    'jobs wait before the first worker comes',
    /^lost/,
    ['lua/lib/work-stream.lua', /'XADD', stream, '\*'/g, `'XADD', stream, 'MAXLEN', '50', '*'`],
  ],
  [
    'a group that starts at $',
    'jobs wait before the first worker comes',
    /^stalled/,
    ['lua/create-group.lua', /'0', 'MKSTREAM'/, `'$$', 'MKSTREAM'`],
  ],
  [
    'an acknowledgement before the run',
    'a worker is killed',
    /^stalled/,
    ['dist/engine/worker/fetch/reader.js', /'COUNT'/, `'NOACK', 'COUNT'`],
  ],
  [
    'a scan for expired leases that begins behind them',
    'a worker is killed',
    /^stalled/,
    ['lua/reclaim.lua', /decimal\(lease\), '-', '\+'/, `decimal(lease), '9999999999999-0', '+'`],
  ],
  [
    'an acknowledgement without the retry',
    'jobs fail and are retried',
    /^lost/,
    ['lua/retry.lua', /redis\.call\('ZADD', delayed, unpack\(scored\)\)/, `local _ = scored`],
  ],
  [
    'a promotion in two steps, of which the second does not happen',
    'jobs are delayed',
    /^lost/,
    ['lua/lib/promotion.lua', /add_entry\([^)]*\)/, `'0-0'`],
  ],
  [
    'a promotion that does not take the job out of the delayed set',
    'jobs are delayed',
    /^(committed twice|stalled)/,
    ['lua/lib/promotion.lua', /redis\.call\('ZREMRANGEBYRANK'/, `(function() end)('ZREMRANGEBYRANK'`],
  ],
  [
    'a completion without the fence',
    'a job is taken from a worker that does not know it yet',
    /^committed twice/,
    [
      'lua/lib/fence.lua',
      /[^]*?(-- Ends the lease)/,
      `-- @include lib/ask-group\nlocal function own_between() return setmetatable({}, { __index = function() return true end }) end\n$1`,
    ],
  ],
];

describe('the checker on runs', () => {
  it.each(Object.keys(scenarios))('finds nothing in the engine as it is: %s', async (name) => {
    await using rig = new Rig({ connection: redis.connection, engine: ENGINE });
    expect(await scenarios[name as keyof typeof scenarios](rig)).toEqual([]);
  });

  it.each(bugs)('finds %s', async (_bug, scenario, finds, patch) => {
    using planted = plant(patch);
    await using rig = new Rig({ connection: redis.connection, engine: planted.engine });
    const found = await scenarios[scenario](rig);
    expect(found.filter((finding) => finds.test(finding))).not.toEqual([]);
  });

  it('finds an add that is not remembered, when its reply is lost', async () => {
    const lostReply = async (engine: string): Promise<string[]> => {
      await using proxy = await TcpProxy.start(redis.connection);
      await using rig = new Rig({ connection: { host: proxy.host, port: proxy.port }, engine });
      const producer = await rig.fork('producer');
      await producer.add(tasks(1, 'finish'));
      proxy.blackholeReplies(true);
      const adding = producer.addPlain(20);
      await rig.stored(redis.client, 21);
      proxy.blackholeReplies(false);
      proxy.cut();
      await adding;
      return violations(await rig.check(redis.client));
    };
    expect(await lostReply(ENGINE)).toEqual([]);
    using planted = plant([
      'lua/lib/call-dedup.lua',
      /[^]*/,
      'local function is_first_time() return true end',
    ]);
    expect((await lostReply(planted.engine)).join()).toMatch(/in two places: 20/);
  });
});
