-- Compares what Redis knows of groups with what is true, in small steps, and fixes what differs: because somebody has deleted a key or
-- an entry, a worker of an earlier version has ended a job, or the policy has changed.
--
-- KEYS stream delayed gate prefix
-- ARGV 1 most  how many slots and groups one call looks at, at most
-- Reply { fixed, again }: how much this has fixed; call again in so many ms
--
-- The steps: all slots, in the order of their groups: a slot whose job is not in flight any more is free. Then all groups that have
-- waiting jobs: those that stand nowhere take turns, and so do those whose rate limit allows a start earlier than was known. Then the
-- same anew. The field `audit` of the hash `gate` says when the next step is due, and where it begins.
--
-- Races
--   Delivery, end of a job: they and this script are single steps on one slot, so a job in flight is pending and has its slot.
--   Two workers: one call does a step, and the other one comes too early for the next.
--   Memory full: see lib/full-memory.lua.

-- @include lib/groups
-- @include lib/group-starts
-- @include lib/stream-info
-- @include lib/take-entries
-- @include lib/wake-idle
-- @include lib/full-memory

local stream, delayed, gate, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local room, slots = prefix .. 'room', prefix .. 'slots'
local groups, limited, paused = prefix .. 'groups', prefix .. 'groups:limited', prefix .. 'groups:paused'
local left = tonumber(ARGV[1])
-- Until the next step: while there is something to fix; while there is more to look at; while groups are in use; else.
local SOON_MS, NEXT_MS, OFTEN_MS, SELDOM_MS = 20, 100, 2000, 10000
-- The first group id has one byte.
local FIRST_GROUP = '[\0\1'

local us = now_us()
local now = math.floor(us / 1000)
local has_slots = redis.call('EXISTS', slots) == 1
if not has_slots and #redis.call('ZRANGEBYLEX', room, FIRST_GROUP, '+', 'LIMIT', 0, 1) == 0 then
  return { 0, SELDOM_MS }
end
local due, part, from = string.match(redis.call('HGET', gate, 'audit') or '', '^(%d+) (%l+) (.*)$')
-- Due later than ever: the clock was set back.
if due and now < tonumber(due) and due - now <= OFTEN_MS then
  return { 0, OFTEN_MS }
end
-- Keys of the wrong type fail here, before anything is written.
check_groups(prefix)
redis.call('ZCARD', limited)
redis.call('ZCARD', delayed)
local policy = group_policy(prefix, prefix .. 'meta')
allow_writes_at_memory_limit(prefix)
if policy.own then
  forget_some_limited(policy.own, now)
end
local fixed = 0

local consumer_groups
local function is_pending(entry)
  consumer_groups = consumer_groups or groups_of(stream)
  for _, of in ipairs(consumer_groups) do
    if of.pending > 0 and #redis.call('XPENDING', stream, of.name, entry, entry, 1) > 0 then
      return true
    end
  end
  return false
end

local function is_used(rest)
  if string.sub(rest, 1, 1) == 'h' then
    return is_member(delayed, string.sub(rest, 2))
  end
  return string.match(rest, '^%d+%-%d+$') ~= nil and is_pending(rest)
end

-- Returns where to go on; '' at the end.
local function audit_slots(begin)
  local at = begin == '' and '-' or '(' .. begin
  while left > 0 do
    local page = redis.call('ZRANGEBYLEX', slots, at, '+', 'LIMIT', 0, math.min(left, 50))
    for i = 1, #page do
      local is_read, group, behind = pcall(struct.unpack, '>I2c0', page[i])
      if not is_read or not is_used(string.sub(page[i], behind)) then
        fixed = fixed + redis.call('ZREM', slots, page[i])
        if is_read and has_jobs(prefix, group) then
          place_group(prefix, group)
        end
      end
      begin, at = page[i], '(' .. page[i]
    end
    left = left - math.max(#page, 1)
    if #page == 0 then
      return ''
    end
  end
  return begin
end

local taking
local function may_start(group)
  local concurrency, max, duration, limited = limits_of_group(policy, group)
  if limited and limited > now then
    return false
  elseif concurrency and used_slots(prefix, group) >= concurrency then
    return false
  elseif max then
    -- For no worker: those of this one have not started, as far as this script knows.
    taking = taking or taking_of_groups(prefix, policy, '', us)
    return group_allowance(prefix, group, max, duration, taking[group] or 0, us) > 0
  end
  return true
end

local function audit_room(begin)
  local at = begin == '' and FIRST_GROUP or '[' .. begin
  while left > 0 do
    local member = redis.call('ZRANGEBYLEX', room, at, '+', 'LIMIT', 0, 1)[1]
    if not member then
      return ''
    end
    left = left - 1
    local place = split_room_member(member)
    if place.is_other then
      -- Somebody else's bytes go where Jobs go.
      redis.call('ZREM', room, member)
      add_entries({ stream = stream, prefix = prefix, room = room }, { member })
      fixed, at = fixed + 1, '(' .. member
    else
      local group = place.group
      local _, to = group_bounds(group)
      begin = string.sub(to, 2)
      at = '[' .. begin
      local waits = redis.call('ZSCORE', groups, group)
      if not waits and redis.call('SISMEMBER', paused, group) == 0 and may_start(group) then
        redis.call('ZREM', limited, group)
        place_group(prefix, group)
        fixed = fixed + 1
      end
    end
  end
  return begin
end

if not part then
  part, from = 'slots', ''
end
if part == 'slots' then
  from = audit_slots(from)
  if from == '' then
    part = 'room'
  end
end
local is_over = false
if part == 'room' and left > 0 then
  from = audit_room(from)
  if from == '' then
    part, is_over = 'slots', true
  end
end
local again = fixed > 0 and SOON_MS or is_over and OFTEN_MS or NEXT_MS
-- A little earlier: the caller's clock may run faster.
redis.call('HSET', gate, 'audit', decimal(now + again * 0.9) .. ' ' .. part .. ' ' .. from)
if fixed > 0 then
  wake_idle(prefix, fixed)
end
return { fixed, again }
