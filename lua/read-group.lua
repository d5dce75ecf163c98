-- What a group has, and what it waits for. Writes nothing.
--
-- KEYS room prefix
-- ARGV 1 group
-- Reply { jobs, active, status, own… }: jobs is how many wait, active how many are in flight; see lib/group-status.lua. own: its own
--      limits, concurrency, max and duration; '' = it has none

-- @include lib/group-status

local room, prefix, group = KEYS[1], KEYS[2], ARGV[1]
local jobs, status = status_of(prefix, room, group)
local own = redis.call('HGET', prefix .. 'groups:policy', group) or '||'
local concurrency, max, duration = string.match(own, '^(%d*)|(%d*)|(%d*)$')
return { jobs, active_of_group(prefix, group), status, concurrency or '', max or '', duration or '' }
