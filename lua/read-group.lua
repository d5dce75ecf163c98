-- What a group has, and what it waits for. Writes nothing.
--
-- KEYS room prefix
-- ARGV 1 group
-- Reply { jobs, active, status }: jobs is how many wait, active how many are in flight; see lib/group-status.lua

-- @include lib/group-status

local room, prefix, group = KEYS[1], KEYS[2], ARGV[1]
local jobs, status = status_of(prefix, room, group)
return { jobs, redis.call('ZLEXCOUNT', prefix .. 'slots', group_bounds(group)), status }
