-- Pauses or resumes a queue, and wakes its workers so that they learn of it at once.
--
-- KEYS meta stream events prefix
-- ARGV 1 paused      '1' = pause, '0' = resume, '2' = pause for a while: see lib/queue-pause.lua
--      2 events_cap  about how many events are kept; 0 = none are written
--      3 lease_ms    for how long a pause for a while lasts, else 0
--      then consumers to wake that the stream does not know any more
-- Reply 1 if this changed something, else 0. Of a pause for a while: 1 if the pause is one, else 0: it was paused for good
--
-- Races
--   Sent twice, or two callers at once: the second finds the queue as it wants it, and changes nothing.
--   A pause for good while it is paused for a while: it stays paused. The other order: the same.
--   Wake lost (a worker that starts just now, a reply that is lost, a third-party worker): each worker looks once a second.
--   Rolled back: the workers read what Redis says, whatever they knew.
--   Memory full: see lib/full-memory.lua. A full queue can be paused.

-- @include lib/time
-- @include lib/wake
-- @include lib/events
-- @include lib/full-memory
-- @include lib/queue-pause

local meta, stream, events, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local is_pause, lease, cap = ARGV[1] ~= '0', tonumber(ARGV[3]), tonumber(ARGV[2])

allow_writes_at_memory_limit(prefix)
local changed, is_ours
if is_pause then
  changed = redis.call('HSETNX', meta, 'paused', decimal(now_ms()))
  is_ours = lease > 0 and (changed == 1 or redis.call('HEXISTS', meta, 'until') == 1)
  if is_ours then
    redis.call('HSET', meta, 'until', decimal(now_ms() + lease))
  elseif lease == 0 then
    redis.call('HDEL', meta, 'until')
  end
else
  -- With its last field, the hash is gone: a queue without a policy costs nothing.
  changed = redis.call('HDEL', meta, 'paused', 'until')
end
if changed == 0 then
  return is_ours and 1 or 0
end
wake_workers(stream, prefix, { unpack(ARGV, 4) })
if cap > 0 then
  redis.pcall('XADD', events, '*', 'e', is_pause and 'paused' or 'resumed', 'ts', decimal(now_ms()))
  trim_events(events, cap)
end
return 1
