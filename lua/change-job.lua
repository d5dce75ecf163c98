-- Changes one job, if it is in a state that allows the change.
--
-- KEYS stream delayed dlq events promoterWake prefix calls
-- ARGV 1 change   'locate'   changes nothing
--                 'remove'   a job that is waiting, prioritized, delayed, or kept after its completion
--                 'promote'  a delayed job: it waits from now on; one that is parked (lib/dedup.lua) is due, and stays so until the
--                            job before it has ended
--                 'delay'    a delayed job: it is due so many ms from now (value)
--                 'move'     a waiting, prioritized or delayed job: it is due at a time (value, unix ms)
--                 'data'     a job that is waiting, prioritized, delayed or failed: replaces its payload (value, a msgpack
--                            binary)
--                 'priority' a job that is waiting, prioritized or delayed: gives it another priority (value; 0 = none, -1 =
--                            lifo). A job that waits goes behind all others of that priority; if it has that priority already, it stays
--                            where it is
--      2 job id  '' = bytes that have none, or that cannot be decoded: the member or the entry says which, and nothing that belongs to
--                an id is touched
--      3 member  4 entry  5 dead letter   where the job is, if the caller has found it, else ''
--      6 events_cap   0 = no events
--      7 value        '' if the change has none
--      call           see lib/call-replies.lua
-- Reply { state, done, dead letter }: state is waiting, prioritized, active, delayed, completed or failed: the state of the job
--      before this call; 'unknown' = there is no live job of this id, or Redis has no record of where it is, so the caller has to search.
--      done is 1, or 0 = the state does not allow the change. The dead letter is '' unless the state is failed.
--
-- Races
--   Delivery, promotion, retry: they and this script are single steps on one slot. A job that has been delivered is active, and
--     is not changed here.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua. New data needs memory, so the limit refuses it before anything is changed.

-- @include lib/locate-job
-- @include lib/dedup-of-job
-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/result-waiters
-- @include lib/delayed-member
-- @include lib/split-job
-- @include lib/ready
-- @include lib/add-again
-- @include lib/add-waiting
-- @include lib/seal
-- @include lib/pages
-- @include lib/events
-- @include lib/time
-- @include lib/tracked
-- @include lib/forget-gate

local stream, delayed, dlq, events, wake, prefix, calls = unpack(KEYS)
local change, id, value = ARGV[1], ARGV[2], ARGV[7]
local cap, call = tonumber(ARGV[6]), ARGV[#ARGV]

local said = kept_reply(calls, call)
if said then
  return said
end
local now = now_ms()
local function announce(event, name, ...)
  if cap > 0 then
    write_event(events, event, id, decimal(now), name, ...)
    trim_events(events, cap)
  end
end

-- Like promote.lua, for one job.
local function promote(member)
  local name, d = split_member(member)
  redis.call('ZREM', delayed, member)
  local marker = text_of(prefix .. 'dlid:' .. id)
  local ours = marker and redis.call('SISMEMBER', prefix .. 'delayed:unique', id) == 1 and string.match(marker, '^(%d+):')
  add_waiting(stream, prefix, id, d, name, ours)
  if ours then
    redis.call('SREM', prefix .. 'delayed:unique', id)
    redis.call('DEL', prefix .. 'result:' .. id, prefix .. 'failed:' .. id)
  end
  tell_workers(stream, prefix)
  announce('waiting', name)
end

local function schedule(member, due, name)
  move_parked(prefix, id, due)
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  redis.call('ZADD', delayed, decimal(due), member)
  if not head[2] or due < tonumber(head[2]) then
    -- The job is scheduled, even if the wake key has the wrong type.
    redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'due', decimal(due))
  end
  announce('delayed', name, 'delay_ms', decimal(math.max(due - now, 0)))
end

-- A job that waits: its bytes, its name, for how many ms its id stays taken after it (nil if the id is not the caller's), and
-- since when it waits, in unix ms.
local function read_waiting(place, in_room)
  if in_room then
    local job = split_room_member(place)
    return job.d, job.name, job.keep >= 0 and decimal(job.keep) or nil, math.floor(job.number / NUMBERS_PER_MS)
  end
  local fields = redis.call('XRANGE', stream, place, place)[1][2]
  return field_of(fields, 'd') or '', field_of(fields, 'n') or '', field_of(fields, 'u'), tonumber(string.match(place, '^%d+'))
end

local function stop_waiting(place, in_room)
  if in_room then
    leave_room(prefix, place)
  else
    redis.call('XDEL', stream, place)
  end
end

local function to_delayed(place, in_room, due)
  local d, name, keep = read_waiting(place, in_room)
  local member = member_of(name, d)
  stop_waiting(place, in_room)
  if keep then
    redis.call('SET', prefix .. 'dlid:' .. id, keep .. ':')
    redis.call('SET', prefix .. 'didx:' .. id, member)
    redis.call('SADD', prefix .. 'delayed:unique', id)
  end
  schedule(member, due, name)
end

-- The job has another member in the same set, or in the same place of the room.
local function replace_member(set, old, new)
  if new ~= old then
    redis.call('ZADD', set, redis.call('ZSCORE', set, old), new)
    redis.call('ZREM', set, old)
    redis.call('SET', prefix .. 'didx:' .. id, new, 'XX')
    if set == delayed then
      move_hold(prefix, select(2, split_member(old)), old, new)
    end
  end
end

local function replace_data(state, place, in_room)
  if in_room then
    local job = split_room_member(place)
    local bytes = with_payload(job.d, value)
    if bytes then
      replace_member(prefix .. 'room', place, job.head .. member_of(job.name, bytes))
    end
    return bytes
  elseif state == 'delayed' then
    local name, d = split_member(place)
    local bytes = with_payload(d, value)
    if bytes then
      replace_member(delayed, place, member_of(name, bytes))
    end
    return bytes
  end
  local from = state == 'failed' and dlq or stream
  local sealed = seal_of(from)
  if sealed then
    return nil, sealed
  end
  local fields = redis.call('XRANGE', from, place, place)[1][2]
  local bytes = with_payload(field_of(fields, 'd') or '', value)
  if bytes and state == 'waiting' then
    -- Its time to live goes on: by itself, the new entry would be ready from now on.
    add_again(stream, prefix, fields, with_ready(bytes, tonumber(string.match(place, '^%d+'))))
    redis.call('XDEL', stream, place)
  elseif bytes then
    for f = 1, #fields, 2 do
      fields[f + 1] = fields[f] == 'd' and bytes or fields[f + 1]
    end
    local letter = redis.call('XADD', dlq, '*', unpack(fields, 1, math.min(#fields, 4000)))
    redis.call('XDEL', dlq, place)
    if redis.pcall('GET', prefix .. 'job:' .. id) == 'f' .. place then
      redis.call('SET', prefix .. 'job:' .. id, 'f' .. letter)
    end
  end
  return bytes
end

-- Returns false for bytes that have no place for a priority.
local function change_priority(state, place, in_room)
  local priority = tonumber(value)
  local encoded = priority ~= 0 and (priority < 0 and '\255' or '\206' .. struct.pack('>I4', priority)) or nil
  if state == 'delayed' then
    local name, d = split_member(place)
    local bytes = with_extra(d, 'priority', encoded)
    if bytes then
      replace_member(delayed, place, member_of(name, bytes))
    end
    return bytes ~= nil
  end
  local d, name, keep, since = read_waiting(place, in_room)
  local bytes = with_extra(d, 'priority', encoded)
  local _, rank = room_place_of(d)
  -- Not the bytes: a number has several forms.
  if bytes and select(2, room_place_of(bytes)) ~= rank then
    -- Its time to live goes on: by itself, it would be ready from now on.
    add_waiting(stream, prefix, id, with_ready(bytes, since), name, keep)
    -- Only now: otherwise its group would lose its turn if it has no other job.
    stop_waiting(place, in_room)
  end
  return bytes ~= nil
end

local function remove(state, place, in_room)
  local name, d
  if state == 'delayed' then
    name, d = split_member(place)
    redis.call('ZREM', delayed, place)
    move_hold(prefix, d, place)
  elseif state == 'waiting' or state == 'prioritized' then
    d, name = read_waiting(place, in_room)
    stop_waiting(place, in_room)
  else
    local _, bytes = job_of_record(redis.pcall('GET', prefix .. 'job:' .. id))
    name, d = place, bytes
    forget_lives(prefix, { id })
  end
  free_dedup(stream, delayed, prefix, id, d or '')
  if id == '' then
    return
  end
  free_id(prefix, id)
  announce('removed', name or '', 'prev', state)
  if state ~= 'completed' then
    tell_gone(prefix, 'removed', { id })
  end
end

-- Where a job is that does not live any more: 'failed' and its dead letter, or 'completed' and its name.
local function locate_ended(letter)
  local kept = redis.pcall('GET', prefix .. 'job:' .. id)
  local name = job_of_record(kept)
  if name then
    return 'completed', name
  end
  if letter == '' and type(kept) == 'string' then
    letter = string.match(kept, '^f(.*)$') or ''
  end
  if letter ~= '' and is_entry_of(dlq, letter, id) then
    return 'failed', letter
  end
  return 'unknown'
end

-- True if the change was made; else why it was not: false = the state does not allow it, or an error reply.
local function carry_out(state, place, in_room)
  if change == 'locate' then
    return false
  end
  check_types(delayed, prefix)
  local waits = state == 'waiting' or state == 'prioritized'
  if change == 'data' then
    if not waits and state ~= 'delayed' and state ~= 'failed' then
      return false
    end
    local changed, failure = replace_data(state, place, in_room)
    return failure or changed ~= nil
  end
  local may = state == 'delayed'
    or (waits and (change == 'remove' or change == 'move' or change == 'priority'))
    or (state == 'completed' and change == 'remove')
  if not may then
    return false
  end
  if change == 'promote' or change == 'priority' then
    check_room(prefix)
    local sealed = seal_of(stream)
    if sealed then
      return sealed
    end
  end
  allow_writes_at_memory_limit(prefix)
  if change == 'remove' then
    remove(state, place, in_room)
  elseif change == 'promote' then
    -- Whether a parked job may start is for the promoter to say.
    if move_parked(prefix, id, now) then
      schedule(place, now, (split_member(place)))
    else
      promote(place)
    end
  elseif change == 'priority' then
    return change_priority(state, place, in_room)
  else
    local due = math.floor(value)
    if change == 'delay' then
      due = now + due
    end
    if waits then
      to_delayed(place, in_room, due)
    else
      schedule(place, due, (split_member(place)))
    end
  end
  return true
end

local state, place, _, in_room = locate(stream, delayed, prefix, id, ARGV[3], ARGV[4])
if not state or state == 'ended' then
  state, place = locate_ended(ARGV[5])
end
local done = carry_out(state, place, in_room)
if type(done) == 'table' then
  return done
end
tell_workers(stream, prefix)
if state == 'delayed' then
  forget_gate(prefix)
end
return keep_reply(calls, call, { state, done and 1 or 0, state == 'failed' and place or '' })
