-- Pauses or resumes a queue, and wakes its workers so that they learn of it at once.
--
-- KEYS meta stream events prefix calls
-- ARGV 1 what       '1' = pause, '0' = resume, '2' = pause for a while: see lib/queue-pause.lua; '3' = end the pause for a while;
--                     '4' = forget the event that it has ended, if the queue has had no other since
--      2 events_cap  about how many events are kept; 0 = none are written
--      3 lease_ms    for how long a pause for a while lasts, else 0
--      then consumers to wake that the stream does not know any more
--      call          see lib/call-replies.lua
-- Reply 1 if this changed something, else 0. Of a pause for a while: 1 if the pause is one, else 0: it was paused for good
--
-- Races
--   Two callers at once: the second finds the queue as it wants it, and changes nothing.
--   Sent twice, after another caller has changed it: the second call gets the reply of the first, and changes nothing.
--   A pause for good while it is paused for a while: it stays paused, and '3' does not end it. The other order: the same.
--   Wake lost (a worker that starts just now, a reply that is lost, a third-party worker): each worker looks once a second.
--   Rolled back: the workers read what Redis says, whatever they knew.
--   Memory full: see lib/full-memory.lua. A full queue can be paused.

-- @include lib/time
-- @include lib/wake
-- @include lib/events
-- @include lib/full-memory
-- @include lib/queue-pause
-- @include lib/call-replies

local meta, stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local what, cap, lease, call = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[#ARGV]
-- Each wake costs Redis a few µs. Workers beyond that many learn of it within a second.
local MOST_WAKES = 1000

local function wake_workers()
  local names = consumer_names(stream, MOST_WAKES)
  for i = 4, #ARGV - 1 do
    names[#names + 1] = ARGV[i]
  end
  for _, name in ipairs(names) do
    -- NOMKSTREAM: a third-party worker has no such stream.
    redis.pcall('XADD', prefix .. 'wake:worker:' .. name, 'NOMKSTREAM', '*', 'policy', '1')
  end
end

local function announce(event)
  wake_workers()
  if cap > 0 then
    redis.pcall('XADD', events, '*', 'e', event, 'ts', decimal(now_ms()))
    trim_events(events, cap)
  end
end

local function pause()
  local is_new = redis.call('HSETNX', meta, 'paused', decimal(now_ms())) == 1
  if is_new then
    announce('paused')
  end
  if lease == 0 then
    return redis.call('HDEL', meta, 'until') == 1 or is_new
  end
  local is_ours = is_new or redis.call('HEXISTS', meta, 'until') == 1
  if is_ours then
    redis.call('HSET', meta, 'until', decimal(now_ms() + lease))
  end
  return is_ours
end

-- With its last field, the hash is gone: a queue without a policy costs nothing.
local function resume()
  local is_paused = redis.call('HDEL', meta, 'paused', 'until') > 0
  if is_paused then
    announce('resumed')
  end
  return is_paused
end

-- A queue that was deleted leaves nothing.
local function forget_end()
  -- A key of another type says nothing.
  local all = redis.pcall('XRANGE', events, '-', '+', 'COUNT', 2)
  local fields = #all == 1 and all[1][2] or {}
  return fields[1] == 'e' and fields[2] == 'resumed' and redis.call('UNLINK', events) == 1
end

local said = kept_reply(calls, call, 1)
if said then
  return said
end
allow_writes_at_memory_limit(prefix)
if not paused_since(meta) then
  redis.call('HDEL', meta, 'paused', 'until')
end
local has_changed
if what == '4' then
  has_changed = forget_end()
elseif what == '1' or what == '2' then
  has_changed = pause()
else
  has_changed = (what == '0' or redis.call('HEXISTS', meta, 'until') == 1) and resume()
end
return keep_reply(calls, call, has_changed and 1 or 0, has_changed)
