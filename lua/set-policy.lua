-- Changes a limit of a queue, and wakes its workers so that they learn of it at once. A queue with a limit is gated: its workers
-- fetch with take.lua.
--
-- KEYS meta stream prefix
-- ARGV field and value, in turns; the value '' removes the limit
-- Reply 1
--
-- Races
--   Sent twice: the second call writes the same.
--   Two callers at once: the later one counts.
--   Wake lost: as in set-pause.lua.
--   Memory full: see lib/full-memory.lua. A full queue can be limited.

-- @include lib/wake
-- @include lib/full-memory

local meta, stream, prefix = KEYS[1], KEYS[2], KEYS[3]
-- A key of the wrong type fails here, before anything is written.
redis.call('HLEN', meta)
allow_writes_at_memory_limit(prefix)
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', meta, ARGV[i])
  else
    redis.call('HSET', meta, ARGV[i], ARGV[i + 1])
    redis.call('HSETNX', meta, 'gated', decimal(now_ms()))
  end
end
wake_workers(stream, prefix)
return 1
