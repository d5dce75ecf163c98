-- Schedules the next attempt of failed jobs: from the work stream to the delayed set.
--
-- KEYS stream delayed events promoterWake prefix calls
-- ARGV 1 group  2 consumer  3 first  4 last  5 jobs  6 unannounced   as in complete.lua
--      7 events_cap   0 = no events
--      8 batch_from   see batch.lua
--      9 wake         '1' = wake a promoter where a job is due earlier than all others: the caller has none of its own
--     10 frames       per job: u8 length and entry id, double backoff in ms, u16 length and job id where that was the
--                     caller's (else length 0), u32 length and the new delayed member (length 0: it stands among the
--                     large ones)
--     11 columns      how many strings; then what the events say: see batch.lua; none with events off
--      then the large members, in the order of their jobs; gaps (see owned.lua), call (see answer.lua)
-- Reply { due, lost… }: the unix ms of the earliest retry ('' if there is none), then indices (from 1) of jobs whose
--      lease is no longer ours, and, negative, of jobs that were cancelled (cancel.lua): they stay as they are.
--
-- Races: as in complete.lua. A job is removed from the stream in the same step in which it enters the delayed set.

-- @include lib/owned
-- @include lib/answer
-- @include lib/cancelled
-- @include lib/events
-- @include lib/batch

local stream, delayed, events, wake, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group = ARGV[1]
local jobs, started, cap = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local frames, read = ARGV[10], struct.unpack
local gaps, call = ARGV[#ARGV - 1], ARGV[#ARGV]

local said = answered(calls, call)
if said then
  return said
end

-- A delayed key of the wrong type fails here, before the entry is gone.
redis.call('ZCARD', delayed)
local own = owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local cancelled = cancelled_among(prefix, own)
local done, reply, left_out = {}, { '' }, {}
-- By place among those that are ours.
local backoffs, members, uniques = {}, {}, {}
local count = 0
local at, large = 1, 12 + ARGV[11]
for i = 1, jobs do
  local entry, backoff, unique, member
  entry, backoff, unique, member, at = read('>I1c0dI2c0I4c0', frames, at)
  if member == '' then
    member = ARGV[large]
    large = large + 1
  end
  if not cancelled[entry] and own[entry] then
    -- Once: a batch that has it twice ran it twice.
    own[entry] = nil
    count = count + 1
    done[count], backoffs[count], members[count], uniques[count] = entry, backoff, member, unique
  else
    reply[#reply + 1] = cancelled[entry] and -i or i
    left_out[i] = true
  end
end
if count == 0 then
  return answer(calls, call, reply)
end
finish(stream, group, done, jobs, ARGV[3], ARGV[4], gaps)

local now = now_ms()
local earliest = backoffs[1]
local head = ARGV[9] == '1' and redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
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
  if uniques[i] ~= '' then
    redis.call('SET', prefix .. 'didx:' .. uniques[i], members[i])
    redis.call('SADD', prefix .. 'delayed:unique', uniques[i])
  end
end
reply[1] = decimal(now + earliest)
if head and (not head[2] or now + earliest < tonumber(head[2])) then
  -- The jobs are there, whatever stands at the wake key.
  redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'due', reply[1])
end

if cap > 0 then
  local of = started > 0 and 'active,failed,retry-scheduled' or 'failed,retry-scheduled'
  local columns = { unpack(ARGV, 12, 11 + ARGV[11]) }
  announce_jobs(events, prefix, cap, tonumber(ARGV[8]), decimal(now), of, jobs, started, columns, left_out)
end
return answer(calls, call, reply)
