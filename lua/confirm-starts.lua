-- A worker says that the jobs have started which take.lua delivered to it: from now on, they are in the windows of the rate
-- limits, of the queue and of groups.
--
-- KEYS meta prefix
-- ARGV 1 consumer  2 starts  what take.lua replied
-- Reply none
--
-- Races
--   Sent twice, or after the next jobs were delivered: `starts` is not that of the last delivery, and nothing is changed.
--   Worker dead before this: the jobs count as starts for a while longer: see lib/limits.lua.

-- @include lib/limits
-- @include lib/group-starts

local meta, prefix, consumer = KEYS[1], KEYS[2], ARGV[1]
local jobs, starts = string.match(redis.call('HGET', prefix .. 'taking', consumer) or '', '^(%d+):(%d+)$')
if starts == ARGV[2] then
  redis.call('HDEL', prefix .. 'taking', consumer)
  local limits = limits_of(meta)
  if limits and limits.max then
    window_add(prefix .. 'limit', limits.duration, now_us(), tonumber(jobs))
  end
end
confirm_group_starts(prefix, meta, consumer, ARGV[2])
