-- Lets no job start for a while, in no worker; or lets them start again, and forgets the starts in the window.
--
-- KEYS meta stream prefix
-- ARGV 1 ms  for how long; '' = let them start
-- Reply 1 if this changed something, else 0
--
-- Races
--   Sent twice: it ends a little later; or there is nothing to remove.
--   Wake lost: each worker looks once a second, and the script that delivers jobs asks Redis, not the worker.
--   Memory full: see lib/full-memory.lua.

-- @include lib/time
-- @include lib/wake
-- @include lib/full-memory
-- @include lib/idle-workers

local meta, stream, prefix, ms = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
allow_writes_at_memory_limit(prefix)
if ms ~= '' then
  redis.call('HSET', meta, 'limited', decimal(now_ms() + ms))
  wake_workers(stream, prefix)
  return 1
end
local removed = redis.call('HDEL', meta, 'limited') + redis.call('DEL', prefix .. 'limit', prefix .. 'taking')
if removed > 0 then
  forget_idle_workers(prefix)
  wake_workers(stream, prefix)
end
return removed > 0 and 1 or 0
