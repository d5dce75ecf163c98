-- A worker says that the jobs have started which take.lua delivered to it: from now on, they are in the windows of the rate
-- limits, of the queue and of groups.
--
-- KEYS meta prefix
-- ARGV 1 consumer  2 starts   what take.lua, or reclaim.lua, replied; '' = none of these
--      3 lost_ms  the heartbeat has found the jobs whose delivery was lost before so many ms, and they have started; '' = not so
-- Reply none
--
-- Races
--   Sent twice, or after the next jobs were delivered: `starts` is not that of the last delivery, and nothing is changed.
--   Worker dead before this: the jobs count as starts for a while longer: see lib/limits.lua.

-- @include lib/limits
-- @include lib/group-starts

local meta, prefix, consumer = KEYS[1], KEYS[2], ARGV[1]
local limits, us = limits_of(meta), now_us()
if ARGV[2] ~= '' then
  confirm_starts(prefix, consumer, limits, ARGV[2], us)
  confirm_group_starts(prefix, meta, consumer, ARGV[2])
end
if ARGV[3] ~= '' then
  for name, since in pairs(lost_starts(prefix .. 'taking', consumer, tonumber(ARGV[3]), us)) do
    confirm_starts(prefix, name, limits, since, us)
  end
  for name, since in pairs(lost_starts(prefix .. 'groups:taking', consumer, tonumber(ARGV[3]), us)) do
    confirm_group_starts(prefix, meta, name, since)
  end
end
