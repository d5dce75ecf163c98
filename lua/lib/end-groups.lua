-- What the end of jobs does to their groups: see lib/groups.lua.
-- @include lib/groups

-- The slots of the jobs of groups among these entries, which have passed the fence, are free: their groups may start others.
-- Returns the groups of these jobs, by index.
local function free_group_slots(prefix, groups, entries, done)
  local is_done = {}
  for i = 1, done == entries and 0 or #done do
    is_done[done[i]] = true
  end
  local slots, of, at = {}, {}, 1
  while at <= #groups do
    local index, group, behind = struct.unpack('>I2I2c0', groups, at)
    local entry = entries[index]
    if entry and (done == entries or is_done[entry]) then
      slots[#slots + 1], of[index] = sub_of(groups, at + 2, behind - 1) .. entry, group
    end
    at = behind
  end
  for from = 1, #slots, 4000 do
    redis.call('ZREM', prefix .. 'slots', unpack(slots, from, math.min(from + 3999, #slots)))
  end
  return of
end

-- Groups, by any key, may have a slot that they had not: they take turns again. Nobody has looked whether they have jobs: to look
-- costs as much as all the rest here, and take.lua does.
local function place_startable(prefix, groups)
  if redis.call('EXISTS', prefix .. 'room') == 0 then
    return
  end
  local placed = {}
  for _, group in pairs(groups) do
    placed[#placed + 1] = group
  end
  for from = 1, #placed, 1000 do
    place_groups(prefix, { unpack(placed, from, math.min(from + 999, #placed)) })
  end
end
