-- Pauses a schedule: no slot fires until it is resumed. Jobs that it has fired already stay.
--
-- KEYS repeat prefix calls
-- ARGV 1 key
--      call  see lib/call-replies.lua
-- Reply { outcome }: 2 = it is paused now; 1 = it was paused already; 0 = there is no such schedule
--
-- Races
--   A scheduler has planned a fire: it finds another slot than it has read, and leaves the schedule alone (fire-schedules.lua).
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: the pause goes on, because an operator may need it then.

-- @include lib/call-replies
-- @include lib/paused-schedules
-- @include lib/full-memory
-- @include lib/time

local set, prefix, calls = KEYS[1], KEYS[2], KEYS[3]
local key, call = ARGV[1], ARGV[#ARGV]
local hash = prefix .. 'repeat:spec:' .. key

local said = kept_reply(calls, call)
if said then
  return said
end
local score = redis.call('ZSCORE', set, key)
if not score then
  return { 0 }
elseif is_paused(score) then
  return { 1 }
end
-- A key of the wrong type fails here, before anything is written.
redis.call('HLEN', hash)
allow_writes_at_memory_limit(prefix)
redis.call('HSET', hash, 'paused', decimal(now_ms()), 'slot', decimal(tonumber(score)))
-- Slots that it still had to make up for are skipped.
redis.call('HDEL', hash, 'owed')
redis.call('ZADD', set, PAUSED, key)
return keep_reply(calls, call, { 2 })
