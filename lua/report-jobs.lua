-- Stores what handlers and others report of jobs: progress, and rows of their logs.
--
-- KEYS stream delayed dlq events prefix calls
-- ARGV 1 events_cap   0 = no events
--      per report: kind, 'p' = progress, 'l' = a row; job id; name or ''; tracked: '1' = the caller knows that the job is
--                   tracked, '0' = that it is not, '' = it does not know; the entry of the job, if the caller runs it, else '';
--                   the progress as JSON, or the row; how many rows stay, 0 = all, negative = so many as the job says, or the
--                   positive of it if it says nothing
--      call         see lib/call-replies.lua
-- Reply { per report: how many rows the log has now, or 1 for progress; 0 = the job is not tracked, so nothing was stored; -1 =
--      there is no job of this id that is tracked, or it is not that entry any more }
--
-- The progress of a job has an event, and so has a row that is not stored.
--
-- Races
--   Ended, retried or reclaimed meanwhile: nothing is stored for a job that does not exist, because nothing would delete it. A
--     worker whose job has moved on is told so. The report of a job that has ended and is kept is stored.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: the limit refuses the call as a whole, before anything is written.

-- @include lib/call-replies
-- @include lib/events
-- @include lib/pages
-- @include lib/delayed-member
-- @include lib/room
-- @include lib/tracked
-- @include lib/time

local stream, delayed, dlq, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local cap, call = tonumber(ARGV[1]), ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end

-- What the extras of a Job say that is kept of it (see codec/keep.ts): whether it is tracked, and how many rows of its log.
local function keep_of(d)
  local readable, keep = pcall(cmsgpack.unpack, extra_of(d, 'keep') or '')
  if not readable or type(keep) ~= 'table' then
    return readable and keep == 1
  end
  local rows = tonumber(keep.l)
  return keep.t == 1, rows and rows >= 0 and rows % 1 == 0 and rows or nil
end

-- The Job of a tracked job that has ended.
local function ended_job(id)
  local record = redis.pcall('GET', prefix .. 'job:' .. id)
  local letter = type(record) == 'string' and string.match(record, '^f(%d+%-%d+)$')
  if not letter then
    return select(2, job_of_record(record))
  end
  local found = redis.pcall('XRANGE', dlq, letter, letter)[1]
  return type(found) == 'table' and field_of(found[2], 'd') or nil
end

-- 1 = a tracked job, 0 = another live job, -1 = neither. Then the most rows of its log, if it says so and `counts`.
local function kind_of(id, entry, counts)
  if redis.call('EXISTS', prefix .. 'job:' .. id) == 1 then
    local d = counts and ended_job(id)
    return 1, d and select(2, keep_of(d)) or nil
  end
  local marker = redis.pcall('GET', prefix .. 'dlid:' .. id)
  local at = type(marker) == 'string' and string.match(marker, '^%d+:(.*)$')
  if not at or redis.call('PTTL', prefix .. 'dlid:' .. id) >= 0 then
    return -1
  elseif entry ~= '' then
    return at == entry and 1 or -1
  end
  local d
  if at == '' then
    local member = redis.pcall('GET', prefix .. 'didx:' .. id)
    if type(member) == 'string' and is_member(delayed, member) then
      d = select(2, split_member(member))
    elseif type(member) == 'string' and is_member(prefix .. 'room', member) then
      d = split_room_member(member).d
    end
  else
    local found = redis.call('XRANGE', stream, at, at)[1]
    d = found and field_of(found[2], 'd')
  end
  if not d or job_id_of(d) ~= id then
    return -1
  end
  local tracked, rows = keep_of(d)
  return tracked and 1 or 0, rows
end

-- Of a key of another type, nothing is stored, and the other reports are. Any other error ends the call: before its first
-- write, because later writes are not refused.
local failure
local function written(reply)
  if type(reply) ~= 'table' then
    return reply
  elseif not string.find(reply.err, 'WRONGTYPE', 1, true) then
    failure = reply
  end
end

local function store(kind, id, value, keep)
  if kind == 'p' then
    return written(redis.pcall('HSET', prefix .. 'job-runs:' .. id, 'progress', value)) and 1 or 0
  end
  local log = prefix .. 'job-logs:' .. id
  local rows = written(redis.pcall('RPUSH', log, value))
  if not rows then
    return 0
  end
  if keep > 0 and rows > keep then
    redis.call('LTRIM', log, -keep, -1)
    rows = keep
  end
  return rows
end

local ts = decimal(now_ms())
local reply = {}
for i = 2, #ARGV - 1, 7 do
  local kind, id, name, tracked, entry, value = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local keep = tonumber(ARGV[i + 6])
  local state, rows = 0, nil
  if tracked ~= '0' then
    state, rows = kind_of(id, entry, kind == 'l' and keep < 0)
  end
  local stored = state == 1 and store(kind, id, value, keep < 0 and (rows or -keep) or keep)
  if failure then
    return failure
  end
  if cap > 0 and kind == 'p' then
    write_event(events, 'progress', id, ts, name, 'data', value)
  elseif cap > 0 and not stored then
    write_event(events, 'log', id, ts, name, 'row', value)
  end
  reply[#reply + 1] = stored or state
end
if cap > 0 then
  trim_events(events, cap)
end
return keep_reply(calls, call, reply)
