-- Counts jobs that have ended, by the minute.
--
-- KEYS prefix calls
-- ARGV 1 most       of how many minutes the counts are kept, the one that runs included
--      2 completed  3 failed   how many to add
--      call         see lib/call-replies.lua
-- Reply 1
--
-- A hash per kind, `metrics:completed` and `metrics:failed`: a count under the number of each minute since 1970 that has one;
-- `count`, all of them since the first; `first`, no minute before it has a count; `last`, the newest minute that has one.
--
-- Races
--   Sent twice, reply lost: the second call gets the reply of the first.
--   A server with an earlier clock takes over: counts go to earlier minutes, and `last` stays.
--   Memory full: nothing is written, and the caller adds the counts to its next call.

-- @include lib/call-replies
-- @include lib/time

-- The most minutes that one call deletes: a gap of weeks may have more, and the next minutes delete on.
local MOST_DELETED = 4000

local prefix, calls, call = KEYS[1], KEYS[2], ARGV[#ARGV]
local said = kept_reply(calls, call, 1)
if said then
  return said
end

local minute = math.floor(now_ms() / 60000)

local function count(kind, jobs)
  local key = prefix .. 'metrics:' .. kind
  redis.call('HINCRBY', key, 'count', jobs)
  if redis.call('HINCRBY', key, decimal(minute), jobs) > jobs then
    return
  end
  -- The minute is new.
  local was = redis.call('HMGET', key, 'first', 'last')
  local first, last = tonumber(was[1]) or minute, math.max(tonumber(was[2]) or 0, minute)
  local old, stays = {}, math.min(minute - tonumber(ARGV[1]) + 1, first + MOST_DELETED)
  for m = first, stays - 1 do
    old[#old + 1] = decimal(m)
  end
  if #old > 0 then
    redis.call('HDEL', key, unpack(old))
  end
  redis.call('HSET', key, 'first', decimal(math.max(math.min(first, minute), stays)), 'last', decimal(last))
end

for index, kind in ipairs({ 'completed', 'failed' }) do
  local jobs = tonumber(ARGV[index + 1])
  if jobs > 0 then
    count(kind, jobs)
  end
end
return keep_reply(calls, call, 1, true)
