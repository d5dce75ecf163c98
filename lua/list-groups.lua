-- Lists groups that have waiting jobs, in the order of the length of their ids, then of their bytes. Writes nothing.
--
-- KEYS room prefix
-- ARGV 1 after  the group behind which the slice begins, '' = begin
--      2 take   the most groups of the slice
--      3 whole  '1' = reply with what they wait for; '' = only count them
-- Reply { last, groups, then per group: id, jobs, status }: last is the group that was looked at last, '' at the end; see
--      lib/group-status.lua

-- @include lib/group-status

local room, prefix = KEYS[1], KEYS[2]
local group, take, whole = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
-- Behind all jobs of a group; behind those without a group, if there is none yet.
local function behind(of)
  local _, to = group_bounds(of)
  return '[' .. string.sub(to, 2)
end

local reply, count = { '', 0 }, 0
while count < take do
  local first = redis.call('ZRANGEBYLEX', room, behind(group), '+', 'LIMIT', 0, 1)[1]
  if not first then
    reply[2] = count
    return reply
  end
  group = split_room_member(first).group
  count = count + 1
  if whole then
    local jobs, status = status_of(prefix, room, group)
    reply[#reply + 1] = group
    reply[#reply + 1] = jobs
    reply[#reply + 1] = status
  end
end
reply[1], reply[2] = group, count
return reply
