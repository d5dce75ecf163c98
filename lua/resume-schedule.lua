-- Resumes a schedule that was paused. Slots that came meanwhile are skipped.
--
-- KEYS repeat schedulerWake prefix calls
-- ARGV 1 key
--      2 revision  as it was read; '' = another program wrote the hash
--      3 next      the slot at which it goes on, in unix ms; '' = none is left: it is over, and is removed
--      call        see lib/call-replies.lua
-- Reply { outcome }: 2 = it goes on, or is over; 1 = it is not paused; 0 = there is no such schedule; 3 = it was replaced
--      since it was read, and nothing was written
--
-- Races
--   Two callers resume it: the second finds it resumed.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: it is resumed, as schedules that are not paused also move on.

-- @include lib/call-replies
-- @include lib/paused-schedules
-- @include lib/removed-schedules
-- @include lib/full-memory

local set, wake, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local key, next_slot, call = ARGV[1], ARGV[3], ARGV[#ARGV]
local hash = prefix .. 'repeat:spec:' .. key

local said = kept_reply(calls, call)
if said then
  return said
end
local score = redis.call('ZSCORE', set, key)
if not score then
  return { 0 }
elseif not is_paused(score) then
  return { 1 }
elseif (redis.call('HGET', hash, 'revision') or '') ~= ARGV[2] then
  return { 3 }
end
allow_writes_at_memory_limit(prefix)
if next_slot == '' then
  redis.call('ZREM', set, key)
  redis.call('DEL', hash)
  remember_removed(prefix, key)
  return keep_reply(calls, call, { 2 })
end
local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
redis.call('HDEL', hash, 'paused', 'slot')
redis.call('ZADD', set, next_slot, key)
if tonumber(next_slot) < tonumber(head[2]) then
  -- The schedule is resumed, even if the wake key has the wrong type: schedulers also poll.
  redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'due', next_slot)
end
return keep_reply(calls, call, { 2 })
