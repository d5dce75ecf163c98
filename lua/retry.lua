-- Schedules the next attempt of failed jobs: from the work stream to the delayed set.
--
-- KEYS stream delayed events prefix
-- ARGV 1 group  2 consumer  3 first  4 last  5 jobs  6 unannounced   as in complete.lua
--      7 events_cap   0 = no events
--      8 frames       per job: u8 length and entry id, double backoff in ms, u8 1 if the id was the caller's, u32 length
--                     and the new delayed member (length 0: it stands among the large ones); then, with events on or
--                     where the id was the caller's, u16 length and job id; then, with events on, u16 index of the
--                     name, u8 length and the attempt that failed, u8 length and duration in µs (both in decimal),
--                     u16 length and reason
--      9 names        how many; then the distinct dispatch names, the index counts from 0
--      then the large members, in the order of their jobs
-- Reply { due, lost… }: the unix ms of the earliest retry ('' if there is none), then indices (from 1) of jobs whose
--      lease is no longer ours, and, negative, of jobs that were cancelled (cancel.lua): they stay as they are.
--
-- Races: as in complete.lua. A job is removed from the stream in the same step in which it enters the delayed set.
local stream, delayed, events, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group = ARGV[1]
local jobs, unannounced, cap = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local frames, read = ARGV[8], struct.unpack

-- A delayed key of the wrong type fails here, before the entry is gone.
redis.call('ZCARD', delayed)
local head = owned_head(stream, group, ARGV[2], ARGV[3], ARGV[4], jobs)
local own = head or owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local cancelled = cancelled_among(prefix, own)
local done, reply = {}, { '' }
-- By place among those that are ours.
local backoffs, members, uniques = {}, {}, {}
local ids, names, attempts, durations, reasons = {}, {}, {}, {}, {}
local count, fresh = 0, 0
local at, large = 1, 10 + tonumber(ARGV[9])
for i = 1, jobs do
  local entry, backoff, unique, member, id, name, attempt, duration, reason
  entry, backoff, unique, member, at = read('>I1c0dI1I4c0', frames, at)
  if member == '' then
    member = ARGV[large]
    large = large + 1
  end
  if cap > 0 then
    id, name, attempt, duration, reason, at = read('>I2c0I2I1c0I1c0I2c0', frames, at)
  elseif unique == 1 then
    id, at = read('>I2c0', frames, at)
  end
  if cancelled[entry] then
    reply[#reply + 1] = -i
  elseif own[entry] then
    count = count + 1
    done[count], backoffs[count], members[count] = entry, backoff, member
    uniques[count] = unique == 1
    ids[count], attempts[count], durations[count], reasons[count] = id, attempt, duration, reason
    if cap > 0 then
      names[count] = ARGV[10 + name]
    end
    if i <= unannounced then
      fresh = count
    end
  else
    reply[#reply + 1] = i
  end
end
if count == 0 then
  return reply
end
if head and count == jobs then
  finish_head(stream, group, done, ARGV[3], ARGV[4])
else
  finish(stream, group, done)
end

local now = now_ms()
local earliest = backoffs[1]
local scored, due = {}, {}
for i = 1, count do
  local backoff = backoffs[i]
  if not due[backoff] then
    due[backoff] = decimal(now + backoff)
    earliest = math.min(earliest, backoff)
  end
  scored[#scored + 1] = due[backoff]
  scored[#scored + 1] = members[i]
  -- unpack fails near 8,000 values.
  if #scored == 2000 or i == count then
    redis.call('ZADD', delayed, unpack(scored))
    scored = {}
  end
  if uniques[i] then
    redis.call('SET', prefix .. 'didx:' .. ids[i], members[i])
  end
end
reply[1] = decimal(now + earliest)

if cap > 0 then
  local ts = decimal(now)
  local function announce(event, i, ...)
    if names[i] == '' then
      redis.pcall('XADD', events, '*', 'e', event, 'id', ids[i], 'ts', ts, 'attempt', ...)
    else
      redis.pcall('XADD', events, '*', 'e', event, 'id', ids[i], 'ts', ts, 'n', names[i], 'attempt', ...)
    end
  end
  -- Entries with the same fields in a row take less room and time in the stream.
  for i = 1, fresh do
    announce('active', i, attempts[i])
  end
  for i = 1, count do
    announce('failed', i, attempts[i], 'reason', reasons[i], 'duration_us', durations[i])
  end
  for i = 1, count do
    announce('retry-scheduled', i, decimal(attempts[i] + 1), 'backoff_ms', decimal(backoffs[i]))
  end
  trim_events(events, cap)
end
return reply
