-- The turns of groups, and their jobs in flight.
--   groups           a sorted set: groups that have waiting jobs and may start one. The score is the turn
--   groups:limited   a sorted set: groups that wait for their rate limit. The score says until when, in unix ms
--   groups:paused    a set: paused groups, whether they have jobs or not
--   slots            a sorted set whose scores are all 0: per job in flight, u16 length of the group id, the group id, and the id of
--                    its entry. A job of a strict group that waits for its retry holds its slot: then 'h' and its member in the
--                    delayed set stand there instead of the id
-- `gate` has `turn`: the score of the group that started a job last. The first two sets are hints: take.lua looks whether a group has
-- jobs and may start one. A group in neither set, because all its slots are in use, comes back when one of its jobs ends.
-- @include lib/room
-- @include lib/wake-idle

-- Of this call: the turn, whether any group is paused, and the groups that were placed.
local turn_now, any_paused
local placed_groups = {}

-- One of the wrong type fails here, before anything is written.
local function check_groups(prefix)
  redis.call('ZCARD', prefix .. 'groups')
  redis.call('SCARD', prefix .. 'groups:paused')
end

-- Groups that have waiting jobs, 1,000 at most, get their turns, behind one start of each group that waits. A group that has one
-- keeps it.
local function place_groups(prefix, groups)
  local placed = { 'ZADD', prefix .. 'groups', 'NX' }
  for i = 1, #groups do
    local group = groups[i]
    if not placed_groups[group] then
      if not turn_now then
        turn_now = redis.call('HGET', prefix .. 'gate', 'turn') or '0'
        any_paused = redis.call('EXISTS', prefix .. 'groups:paused') == 1
      end
      placed_groups[group] = true
      if not any_paused or redis.call('SISMEMBER', prefix .. 'groups:paused', group) == 0 then
        placed[#placed + 1], placed[#placed + 2] = turn_now, group
      end
    end
  end
  if #placed > 3 then
    redis.call(unpack(placed))
  end
end

local function place_group(prefix, group)
  place_groups(prefix, { group })
end

-- Whether a group has waiting jobs.
local function has_jobs(prefix, group)
  local from, to = group_bounds(group)
  return #redis.call('ZRANGEBYLEX', prefix .. 'room', from, to, 'LIMIT', 0, 1) > 0
end

-- Of groups that may have lost their last job, by id: those that have none take no turns any more.
local function forget_groups(prefix, room, groups)
  for group in pairs(groups) do
    local from, to = group_bounds(group)
    if group ~= '' and #redis.call('ZRANGEBYLEX', room, from, to, 'LIMIT', 0, 1) == 0 then
      placed_groups[group] = nil
      redis.pcall('ZREM', prefix .. 'groups', group)
      redis.pcall('ZREM', prefix .. 'groups:limited', group)
    end
  end
end

-- The member of `slots` for an entry of a group.
local function slot_of(group, entry)
  return group_head(group) .. entry
end

-- How many slots of a group are in use.
local function used_slots(prefix, group)
  local from, to = group_bounds(group)
  return redis.call('ZLEXCOUNT', prefix .. 'slots', from, to)
end

-- How many jobs of a group are in flight. The id of an entry begins with a digit.
local function active_of_group(prefix, group)
  return redis.call('ZLEXCOUNT', prefix .. 'slots', '[' .. slot_of(group, '0'), '(' .. slot_of(group, ':'))
end

-- A delayed job does not hold the slot of its group any more. Returns whether it did.
local function end_hold(prefix, group, member)
  return redis.call('ZREM', prefix .. 'slots', slot_of(group, 'h' .. member)) == 1
end

-- A delayed job is gone, or is another one now: nothing holds the slot of its group any more, or the other one does. `d`: the bytes of
-- the Job; `to`: its member now, nil if it is gone. A hold that is missed here ends with audit-groups.lua.
local function move_hold(prefix, d, from, to)
  local group = room_place_of(d)
  if not group or group == '' or not end_hold(prefix, group, from) then
    return
  elseif to then
    redis.call('ZADD', prefix .. 'slots', 0, slot_of(group, 'h' .. to))
  elseif has_jobs(prefix, group) then
    place_group(prefix, group)
    wake_idle(prefix, 1)
  end
end
