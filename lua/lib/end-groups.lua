-- What the end of jobs does to their groups: see lib/groups.lua.
-- @include lib/groups

-- The slots of the jobs of groups among these entries, which have passed the fence, are free: their groups may start others.
-- Returns the groups of these jobs, by index.
local function free_group_slots(prefix, groups, entries, done)
  local is_done = {}
  for i = 1, #done do
    is_done[done[i]] = true
  end
  local slots, of, at = {}, {}, 1
  while at <= #groups do
    local index, group
    index, group, at = struct.unpack('>I2I2c0', groups, at)
    if is_done[entries[index]] then
      slots[#slots + 1], of[index] = slot_of(group, entries[index]), group
    end
  end
  for from = 1, #slots, 4000 do
    redis.call('ZREM', prefix .. 'slots', unpack(slots, from, math.min(from + 3999, #slots)))
  end
  return of
end

-- Groups, by any key, may have a slot that they had not: those that have waiting jobs take turns again.
local function place_startable(prefix, groups)
  local seen, startable = {}, {}
  for _, group in pairs(groups) do
    if not seen[group] and has_jobs(prefix, group) then
      startable[#startable + 1] = group
    end
    seen[group] = true
  end
  for from = 1, #startable, 1000 do
    place_groups(prefix, { unpack(startable, from, math.min(from + 999, #startable)) })
  end
end
