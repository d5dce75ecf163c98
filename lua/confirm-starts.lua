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
confirm_starts(prefix, consumer, limits_of(meta), ARGV[2], now_us())
confirm_group_starts(prefix, meta, consumer, ARGV[2])
