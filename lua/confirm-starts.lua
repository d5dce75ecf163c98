-- A worker says that the jobs have started which take.lua, or reclaim.lua, delivered to it: from now on, they are in the windows of
-- the rate limits, of the queue and of groups.
--
-- KEYS meta prefix
-- ARGV 1 consumer  2 starts   what take.lua, or reclaim.lua, replied; '' = none of these
--      3 lost_before  unix ms: the heartbeat has found all jobs that were delivered before and had got lost, and they have started;
--                   '' = not so
-- Reply none
--
-- Races
--   Sent twice: nothing has this name any more, and nothing is changed.
--   Before, or after, the call of take.lua that gives jobs a name of their own: both names are tried.
--   Worker dead before this: the jobs count as starts for a while longer: see lib/limits.lua.

-- @include lib/limits
-- @include lib/group-starts

local meta, prefix, consumer = KEYS[1], KEYS[2], ARGV[1]
local limits, us = limits_of(meta), now_us()
if ARGV[2] ~= '' then
  for _, name in ipairs({ consumer, consumer .. ' ' .. ARGV[2] }) do
    confirm_starts(prefix, name, limits, ARGV[2], us)
    confirm_group_starts(prefix, meta, name, ARGV[2])
  end
end
if ARGV[3] ~= '' then
  for _, name in ipairs(lost_starts(prefix .. 'taking', consumer, tonumber(ARGV[3]))) do
    confirm_starts(prefix, name, limits, '', us)
  end
  for _, name in ipairs(lost_starts(prefix .. 'groups:taking', consumer, tonumber(ARGV[3]))) do
    confirm_group_starts(prefix, meta, name, '')
  end
end
