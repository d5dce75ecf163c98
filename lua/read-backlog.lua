-- Counts the jobs of a queue at one instant. Writes nothing.
--
-- KEYS stream delayed dlq meta repeat room prefix
-- ARGV 1 group
-- Reply { waiting; for how many ms the oldest of them has been in the stream or in the room; active; delayed; due; by how many
--      ms the earliest of these is late; dead letters; due schedules; by how many ms the earliest of these is late; how many of
--      the waiting jobs are prioritized; how many waiting and due jobs may start within a minute; since when the queue is paused, in unix ms, as text, or '' }. `due` are the delayed jobs that only wait for the promoter. Due schedules
--      only wait for a scheduler; a paused schedule is not due.

-- @include lib/time
-- @include lib/stream-info
-- @include lib/queue-pause
-- @include lib/room
-- @include lib/startable

local stream, delayed, dlq, meta, schedules, room, prefix = unpack(KEYS)
local now = now_ms()

local length = redis.call('XLEN', stream)
local active, delivered = 0, nil
if length > 0 then
  for _, group in ipairs(groups_of(stream)) do
    if group.name == ARGV[1] then
      active, delivered = group.pending, group['last-delivered-id']
    end
  end
end

-- The oldest entry that is not in flight. Usually it is the first one after the last delivered. But a group that was
-- moved past its jobs (XGROUP SETID), or a consumer that was deleted with its jobs (XGROUP DELCONSUMER), leaves entries
-- before it that no worker ever gets. So this looks between the oldest jobs in flight, too.
local FEW = 100
local function oldest_waiting()
  local from = '-'
  local pending = delivered and redis.call('XPENDING', stream, ARGV[1], '-', '+', FEW) or {}
  for i = 1, #pending do
    local between = redis.call('XRANGE', stream, from, '(' .. pending[i][1], 'COUNT', 1)[1]
    if between then
      return between[1]
    end
    from = '(' .. pending[i][1]
  end
  if #pending == FEW then
    from = '(' .. delivered
  end
  local first = redis.call('XRANGE', stream, from, '+', 'COUNT', 1)[1]
  return first and first[1]
end

-- An entry that was deleted by hand may still be pending.
local waiting = math.max(0, length - active)
local waited = 0
if waiting > 0 then
  local oldest = oldest_waiting()
  if oldest then
    waited = math.max(0, now - tonumber(string.match(oldest, '^%d+')))
  end
end

-- Since when the oldest job of the room waits. This looks at the jobs that are first in their order: those of the highest and of
-- the lowest priority, and those of a few groups. The job with lifo that waits longest is the last one.
local SOME = 20
local lifo, prioritized, grouped = count_room(room)
local function oldest_in_room()
  local ranks = { lifo - 1 }
  if prioritized > 0 then
    local last = split_room_member(redis.call('ZRANGE', room, lifo + prioritized - 1, lifo + prioritized - 1)[1])
    ranks[2], ranks[3] = lifo, redis.call('ZLEXCOUNT', room, '-', '(' .. string.sub(bounds_of_rank('', last.rank), 2))
  end
  for i = 1, grouped > 0 and SOME or 0 do
    ranks[#ranks + 1] = lifo + prioritized + math.floor(grouped * (i - 1) / SOME)
  end
  local oldest
  for _, rank in ipairs(ranks) do
    local member = rank >= 0 and redis.call('ZRANGE', room, rank, rank)[1]
    if member then
      local group = split_room_member(member).group
      if group ~= '' then
        local from, to = group_bounds(group)
        member = redis.call('ZRANGEBYLEX', room, from, to, 'LIMIT', 0, 1)[1]
      end
      oldest = math.min(oldest or now, split_room_member(member).number / NUMBERS_PER_MS)
    end
  end
  return oldest
end
if lifo + prioritized + grouped > 0 then
  waiting = waiting + lifo + prioritized + grouped
  waited = math.max(waited, math.floor(now - oldest_in_room()))
end

-- How many members of a sorted set by time are due, and by how many ms the earliest of them is late.
local function due_in(set)
  local due = redis.call('ZCOUNT', set, '-inf', now)
  return due, due > 0 and now - tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]) or 0
end

local due, late = due_in(delayed)
local due_schedules, schedules_late = due_in(schedules)
local paused = paused_since(meta) or ''
local startable = 0
if paused == '' then
  local others = waiting - grouped + due
  startable = startable_now(prefix, meta, others + startable_in_groups(prefix, meta, grouped), active)
end
return {
  waiting,
  waited,
  active,
  redis.call('ZCARD', delayed),
  due,
  late,
  redis.call('XLEN', dlq),
  due_schedules,
  schedules_late,
  prioritized,
  startable,
  paused,
}
