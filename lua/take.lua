-- Fetches jobs for a worker of a gated queue: decides how many may start, moves the best ones from the room to the work stream,
-- and delivers them.
--
-- KEYS stream room meta gate prefix
-- ARGV 1 group  2 consumer  3 count   how many jobs can start here now
-- Reply { { stream, { entries } }…, { 'gate', { { '0-0', { 'wait', ms, 'open', open, 'starts', id } } } } }, in the shape of a reply of XREADGROUP.
--      wait: ask again after so many ms, '' = when woken; open: '1' = the queue is not gated any more.
--      starts: pass it to confirm-starts.lua as soon as these jobs have started; '' = starts are not counted.
--
-- The order: lifo; jobs of the work stream; priorities; groups in turns. A job of the room gets an entry at the end of the
-- stream. All entries of the stream were delivered before then, so the next read delivers just this entry. Only a job with lifo
-- overtakes entries that wait: it is claimed, and its entry is in the list `ahead` until reads come to it and step over it.
--
-- Races
--   Two workers: a job leaves the room, and counts as in flight, in the step in which it is delivered.
--   Reply lost: the jobs are pending for the worker, and its heartbeat finds them. The call is never sent twice.
--   Worker dead: as for any entry.
--   Rolled back: the room and the stream are rolled back together.
--   Memory full: the first write is allowed at the limit. A full server drains.
--   Stream that accepts no entries: the jobs that were taken go back into the room.

-- @include lib/room
-- @include lib/envelope
-- @include lib/stream-info
-- @include lib/queue-pause
-- @include lib/limits
-- @include lib/full-memory
-- @include lib/work-stream

local stream, room, meta, gate, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, consumer, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ahead = prefix .. 'ahead'
local now = now_ms()
-- A worker that does not know yet that the queue is gated may still read the stream. It learns of that within so many ms.
local LEARNED_MS = 2000
-- A queue stays gated for so long after the last job came into the room: a change wakes all workers.
local STAYS_GATED_MS = 30000
-- At most so many entries in `ahead` are stepped over by one call.
local MOST_STEPS = 100

local policy = redis.call('HMGET', meta, 'gated')
local limits = limits_of(meta)
local room_size = redis.call('ZCARD', room)
local reply, taken = {}, 0
if room_size > 0 and not policy[1] then
  -- Somebody has deleted it.
  policy[1] = decimal(now)
  redis.call('HSET', meta, 'gated', policy[1])
end
local wait, open = '', ''

local function deliver(most)
  local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', most, 'STREAMS', stream, '>')
  if read then
    reply[#reply + 1] = read[1]
    taken = taken + #read[1][2]
    return #read[1][2]
  end
  return 0
end

-- The last entry that was delivered to the group.
local function delivered_id()
  for _, of in ipairs(groups_of(stream)) do
    if of.name == group then
      return of['last-delivered-id']
    end
  end
  return '0-0'
end

-- Delivers entries that wait in the stream, and steps over those that were delivered ahead of them.
local function deliver_waiting(most)
  local steps = 0
  local next_ahead = redis.call('LINDEX', ahead, 0)
  while next_ahead and most > 0 and steps < MOST_STEPS do
    local last = delivered_id()
    if is_before(last, next_ahead) then
      local between = #redis.call('XRANGE', stream, '(' .. last, '(' .. next_ahead, 'COUNT', most)
      if between > 0 then
        most = most - deliver(between)
      end
      if most == 0 then
        return
      end
      redis.call('XGROUP', 'SETID', stream, group, next_ahead)
    end
    redis.call('LPOP', ahead)
    steps = steps + 1
    next_ahead = redis.call('LINDEX', ahead, 0)
  end
  if most > 0 and not next_ahead then
    deliver(most)
  end
end

-- Gives jobs of the room their entries, and says where the jobs are whose ids are the callers'. Returns the entries, or the error
-- reply of the stream; then the jobs without an entry are back.
local function add_entries(members)
  local entries, markers, indices = {}, {}, {}
  local failure
  local pcall_redis, room_parts = redis.pcall, room_parts
  for i = 1, #members do
    local d, name, head, keep = room_parts(members[i])
    local added
    if name == '' then
      added = keep and pcall_redis('XADD', stream, '*', 'd', d, 'u', keep, 'r', head)
        or pcall_redis('XADD', stream, '*', 'd', d, 'r', head)
    else
      added = keep and pcall_redis('XADD', stream, '*', 'd', d, 'n', name, 'u', keep, 'r', head)
        or pcall_redis('XADD', stream, '*', 'd', d, 'n', name, 'r', head)
    end
    if type(added) == 'table' then
      failure = added
      for back = i, #members do
        redis.call('ZADD', room, 0, members[back])
      end
      break
    end
    entries[i] = added
    local id = keep and job_id_of(d)
    if id then
      markers[#markers + 1] = prefix .. 'dlid:' .. id
      markers[#markers + 1] = keep .. ':' .. added
      indices[#indices + 1] = prefix .. 'didx:' .. id
    end
  end
  for from = 1, #markers, 4000 do
    redis.call('MSET', unpack(markers, from, math.min(from + 3999, #markers)))
  end
  for from = 1, #indices, 4000 do
    redis.call('DEL', unpack(indices, from, math.min(from + 3999, #indices)))
  end
  return entries, failure
end

-- Takes the jobs at the head of the room that have no group; `with_lifo`: only those with lifo.
local function head_of_room(most, with_lifo)
  local begins = with_lifo and '\0\0\0\0\0\0' or '\0\0'
  local members = redis.call('ZRANGE', room, 0, most - 1)
  -- They are in order, so if the last one begins so, all do.
  while #members > 0 and string.sub(members[#members], 1, #begins) ~= begins do
    members[#members] = nil
  end
  if #members > 0 then
    redis.call('ZREMRANGEBYRANK', room, 0, #members - 1)
  end
  return members
end

local function take_lifo(most)
  local first = redis.call('ZRANGE', room, 0, 0)[1]
  if not first or string.sub(first, 1, 6) ~= '\0\0\0\0\0\0' then
    return
  end
  local last = delivered_id()
  local waits = #redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1) > 0
  if waits and (not policy[1] or now - policy[1] < LEARNED_MS) then
    return
  end
  local entries, failure = add_entries(head_of_room(most, true))
  if not waits and #entries > 0 then
    deliver(#entries)
  elseif #entries > 0 then
    local command = { 'XCLAIM', stream, group, consumer, 0 }
    for i = 1, #entries do
      command[#command + 1] = entries[i]
    end
    command[#command + 1] = 'RETRYCOUNT'
    command[#command + 1] = 1
    command[#command + 1] = 'FORCE'
    reply[#reply + 1] = { stream, redis.call(unpack(command)) }
    redis.call('RPUSH', ahead, unpack(entries))
    taken = taken + #entries
  end
  return failure
end

local function take_prioritized(most)
  local entries, failure = add_entries(head_of_room(most, false))
  if #entries > 0 then
    deliver(#entries)
  end
  return failure
end

allow_writes_at_memory_limit(prefix)
-- `unpack` fails near 8,000 values.
count = math.min(count, 2000)
-- How many may be taken.
local allowed, us = count, nil
if limits then
  us = now_us()
  if limits.limited and limits.limited <= now then
    redis.call('HDEL', meta, 'limited')
  end
  allowed, wait = allowance(limits, stream, group, prefix, count, us)
end
local failure
if allowed > 0 and not paused_since(meta) then
  if room_size > 0 then
    failure = take_lifo(allowed)
  end
  if not failure and taken < allowed then
    deliver_waiting(allowed - taken)
  end
  if not failure and taken < allowed and room_size > 0 then
    failure = take_prioritized(allowed - taken)
  end
  if failure and taken == 0 then
    return failure
  end
end

local starts = ''
if limits and limits.max and taken > 0 then
  begin_starts(prefix, consumer, limits.duration, us, taken)
  starts = decimal(us)
end
if taken < count then
  -- It is told when there is more. While the rate limit is reached, it asks again by itself.
  if taken < allowed or wait == '' then
    redis.call('ZADD', prefix .. 'wake:idle', decimal(now), consumer)
  end
  if not limits and redis.call('EXISTS', room) == 0 and redis.call('EXISTS', ahead) == 0 then
    local seq = tonumber(redis.call('HGET', gate, 'seq')) or 0
    if not policy[1] or now - seq / NUMBERS_PER_MS > STAYS_GATED_MS then
      redis.call('HDEL', meta, 'gated')
      redis.call('DEL', prefix .. 'wake:idle')
      if redis.call('EXISTS', prefix .. 'delayed') == 0 then
        redis.call('DEL', gate)
      end
      open = '1'
    end
  end
end
reply[#reply + 1] = { 'gate', { { '0-0', { 'wait', wait, 'open', open, 'starts', starts } } } }
return reply
