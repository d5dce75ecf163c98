import { expect, it } from 'vitest';
import type { QueueKind } from '../support/fault/gated.js';
import { SlotWatch } from '../support/fault/gated.js';
import { plant } from '../support/fault/plant.js';
import type { Bug } from '../support/fault/plant.js';
import { Rig } from '../support/fault/rig.js';
import { useRedis } from '../support/redis.js';

/* The watch over slots and starts is worth something only if it finds what is wrong: here with bugs that are planted. */

const redis = useRedis({ leakCheck: false });
const worker = { claimMinIdleMs: 5_000, blockMs: 500, concurrency: 20 };

/** Slots of nobody stay in use. */
const BLIND: Bug = ['lua/audit-groups.lua', /local function is_used\(rest\)\n/, '$&do return true end\n'];

const bugs: Record<string, readonly [kind: QueueKind, bug: Bug, finds: RegExp]> = {
  'a slot that leaks': ['grouped', BLIND, /START of/],
  'a global concurrency that nobody obeys': [
    'gated',
    ['lua/lib/limits.lua', /if limits\.concurrency then/, 'if false then'],
    /in flight/,
  ],
  'a concurrency of groups that nobody obeys': [
    'grouped',
    ['lua/lib/group-policy.lua', /return concurrency, duration and max/, 'return nil, duration and max'],
    /in flight of a group/,
  ],
  'a rate limit that nobody obeys': [
    'limited',
    ['lua/lib/limits.lua', /local free = limits\.max/, 'local free = 1e6 + limits.max'],
    /starts in a window/,
  ],
  'a rate limit of groups that nobody obeys': [
    'limited',
    ['lua/lib/group-starts.lua', /return max - used/, 'return 1e6 + max - used'],
    /starts of . in a window/,
  ],
};

it.each(Object.keys(bugs))('finds %s', { timeout: 40_000 }, async (name) => {
  const [kind, bug, finds] = bugs[name] as (typeof bugs)[string];
  using planted = plant(bug);
  await using rig = new Rig({ connection: redis.connection, engine: planted.engine, kind });
  const producer = rig.producer();
  const slots = await SlotWatch.begin(kind, redis.client, producer);
  const workers = [await rig.spawn('one', worker), await rig.spawn('two', worker)];
  await producer.addMany(300, { do: 'sleep', ms: 30 });
  if (bug === BLIND) await redis.client.zadd(`${rig.keys.prefix}slots`, 0, '\0\u0001a1-1');
  await rig.drained(redis.client, 15_000);
  const verified = slots.verify(rig, () => Promise.all(workers.map((child) => child.release())));
  await expect(verified).rejects.toThrow(finds);
});
