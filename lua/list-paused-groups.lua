-- Lists paused groups, whether they have waiting jobs or not, in no order. Writes nothing.
--
-- KEYS room prefix
-- ARGV 1 cursor  what the step before replied; '0' = begin
--      2 take    about how many groups to look at
-- Reply { cursor, then per group: id, how many of its jobs wait }: cursor is '0' at the end.
--
-- Races: a group that is paused the whole time is listed, and maybe twice.

-- @include lib/room

local room, paused = KEYS[1], KEYS[2] .. 'groups:paused'
local cursor, groups = unpack(redis.call('SSCAN', paused, ARGV[1], 'COUNT', ARGV[2]))
local reply = { cursor }
for i = 1, #groups do
  local from, to = group_bounds(groups[i])
  reply[#reply + 1] = groups[i]
  reply[#reply + 1] = redis.call('ZLEXCOUNT', room, from, to)
end
return reply
