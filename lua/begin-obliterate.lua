-- Deletes the jobs of a queue in one step, unless some are active. The keys of single jobs are left to sweep-keys.lua.
--
-- KEYS stream meta prefix calls
-- ARGV 1 force     '1' = also if jobs are active
--      2 lease_ms  for how long the queue stays paused, unless that is prolonged
--      call        see lib/call-replies.lua
-- Reply { active, done, consumer… }: active is how many jobs were active; done is 0 if that forbids it, and nothing was deleted;
--      the consumers of the stream, at most 1,000: with the stream, Redis forgets who they are
--
-- The policy goes with the jobs. Of it, only a pause for a while stays: see lib/queue-pause.lua. What the user sets later is kept.
-- UNLINK frees large keys in the background, so the size of the queue does not matter.
--
-- Races
--   Delivery: a job is either delivered before this step, and active, or deleted. What is added later goes to new keys.
--   Sent twice, reply lost: the second call gets the reply of the first, so it does not delete what was added meanwhile.
--   Memory full: see lib/full-memory.lua.

-- @include lib/active
-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/queue-pause

local stream, meta, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call = ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local active = count_active(stream)
if active > 0 and ARGV[1] ~= '1' then
  return keep_reply(calls, call, { active, 0 })
end
allow_writes_at_memory_limit(prefix)
local reply = { active, 1 }
for i, name in ipairs(consumer_names(stream, 1000)) do
  reply[2 + i] = name
end
local keys = {}
for _, name in ipairs({
  'stream',
  'delayed',
  'delayed:unique',
  'dedup:parked',
  'dlq',
  'dlq:evicted',
  'dlq:tracked',
  'completed',
  'room',
  'ahead',
  'gate',
  'groups',
  'groups:limited',
  'groups:paused',
  'groups:policy',
  'groups:taking',
  'slots',
  'limit',
  'taking',
  'wake:idle',
  'events',
  'events:batches',
  'wake:promoter',
  'wake:scheduler',
  'promoter:lock',
  'scheduler:lock',
  'scheduler:gap',
}) do
  keys[#keys + 1] = prefix .. name
end
local since = paused_since(meta)
redis.call('UNLINK', meta, unpack(keys))
if since then
  redis.call('HSET', meta, 'paused', since, 'until', decimal(now_ms() + tonumber(ARGV[2])))
end
return keep_reply(calls, call, reply)
