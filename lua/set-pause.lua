-- Pauses or resumes a queue, and wakes its workers so that they learn of it at once.
--
-- KEYS meta stream events prefix
-- ARGV 1 paused      '1' = pause, '0' = resume
--      2 events_cap  about how many events are kept; 0 = none are written
--      then consumers to wake that the stream does not know any more
-- Reply 1 if this changed something, else 0
--
-- Races
--   Sent twice, or two callers at once: the second finds the queue as it wants it, and changes nothing.
--   Wake lost (a worker that starts just now, a reply that is lost, a third-party worker): each worker looks once a second.
--   Rolled back: the workers read what Redis says, whatever they knew.
--   Memory full: see lib/full-memory.lua. A full queue can be paused.

-- @include lib/time
-- @include lib/stream-info
-- @include lib/events
-- @include lib/full-memory

local meta, stream, events, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local is_pause, cap = ARGV[1] == '1', tonumber(ARGV[2])
-- Each wake costs Redis a few µs. Workers beyond that many learn of it within a second.
local MOST_WAKES = 1000

local function wake_workers()
  local names = consumer_names(stream, MOST_WAKES)
  for i = 3, #ARGV do
    names[#names + 1] = ARGV[i]
  end
  for _, name in ipairs(names) do
    -- NOMKSTREAM: a third-party worker has no such stream.
    redis.pcall('XADD', prefix .. 'wake:worker:' .. name, 'NOMKSTREAM', '*', 'policy', '1')
  end
end

allow_writes_at_memory_limit(prefix)
local changed
if is_pause then
  changed = redis.call('HSETNX', meta, 'paused', decimal(now_ms()))
else
  -- With its last field, the hash is gone: a queue without a policy costs nothing.
  changed = redis.call('HDEL', meta, 'paused')
end
if changed == 0 then
  return 0
end
wake_workers()
if cap > 0 then
  redis.pcall('XADD', events, '*', 'e', is_pause and 'paused' or 'resumed', 'ts', decimal(now_ms()))
  trim_events(events, cap)
end
return 1
