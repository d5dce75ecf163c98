-- Moves jobs from the work stream to the delayed set: failed jobs, for their next attempt, or jobs that were put back. Jobs of the
-- room that were rate-limited go back to their places there.
--
-- KEYS stream delayed events promoterWake prefix calls
-- ARGV 1–6 see lib/end-batch.lua
--      7 events_cap   0 = no events
--      8 batch_from   see lib/event-batch.lua
--      9 flags        'w': wake a promoter if a job is due earlier than all others, because the caller has no promoter of its own;
--                     'r': some of the jobs have a place in the room; 'h': the jobs of strict groups hold their slots until they
--                     start again (lib/groups.lua)
--     10 frames       per job: u8 length and entry id; double backoff in ms, negative = the job was rate-limited: while the limit
--                     holds, it goes to its old place in the room, if it has one, and does not wait; u16 length and job id, length 0 if the id is not
--                     the caller's; u32 length and the new delayed member, length 0 if it is one of the large ones
--     11 of           the events beside `active`: see lib/event-batch.lua
--     12 columns      how many strings follow with the columns of the events; 0 with events off; then these
--     the large members, in the order of their jobs
--     tracked        the attempts of the tracked jobs, '' = there are none: see `write_attempts` of lib/tracked.lua
--     gaps, call      see lib/end-batch.lua
-- Reply { due, … }: due is the unix ms of the earliest retry, '' if there is none. Then, of jobs that stay as they are, the
--      index (from 1): positive = the lease is no longer the caller's; negative = the job was cancelled (cancel.lua).
--
-- Races
--   Worker dead halfway: the job leaves the stream in the same step in which it enters the delayed set.
--   Lease lost, rolled back, sent twice, reply lost, memory full: as in complete.lua.
--   Cancelled meanwhile: the mark of cancel.lua keeps the job from running again.

-- @include lib/end-batch
-- @include lib/event-batch
-- @include lib/tracked
-- @include lib/room
-- @seldom lib/put-back
-- @seldom lib/rate-limited

local stream, delayed, events, wake, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local batch = read_batch()
local jobs, unannounced, cap = batch.jobs, batch.unannounced, tonumber(ARGV[7])
local frames, read = ARGV[10], struct.unpack

local said = kept_reply(calls, batch.call)
if said then
  return said
end

-- A delayed key of the wrong type fails here, before the entry is gone; so does the set below.
redis.call('ZCARD', delayed)
local entries, backoffs, uniques, members = {}, {}, {}, {}
local any_unique, limited = false, nil
local at, large = 1, 13 + ARGV[12]
for i = 1, jobs do
  entries[i], backoffs[i], uniques[i], members[i], at = read('>I1c0dI2c0I4c0', frames, at)
  any_unique = any_unique or uniques[i] ~= ''
  if backoffs[i] < 0 then
    backoffs[i], limited = -backoffs[i], limited or {}
    limited[#limited + 1] = i
  end
  if members[i] == '' then
    members[i] = ARGV[large]
    large = large + 1
  end
end
if any_unique then
  redis.call('SCARD', prefix .. 'delayed:unique')
end
local reply = { '' }
local done, left_out = fence_batch(stream, prefix, batch, entries, reply)
if #done == 0 then
  return keep_reply(calls, batch.call, reply)
end
local placed = limited and limited_places(stream, prefix, entries, limited, left_out) or {}
end_leases(stream, batch, done)
local may_hold = batch.groups ~= '' and string.find(ARGV[9], 'h', 1, true)
local is_strict = may_hold and redis.call('HGET', prefix .. 'meta', 'groupStrict') == '1'
free_slots(prefix, batch, entries, done, is_strict and function(groups)
  for index, group in pairs(groups) do
    redis.call('ZADD', prefix .. 'slots', 0, slot_of(group, 'h' .. members[index]))
    groups[index] = nil
  end
end)

local now = now_ms()
local earliest
local head = string.find(ARGV[9], 'w', 1, true) and redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local scored, due = {}, {}
local function schedule()
  redis.call('ZADD', delayed, unpack(scored))
  scored = {}
end
for i = 1, jobs do
  if placed[i] then
    local _, d = split_member(members[i])
    put_back(stream, prefix, entries[i], placed[i], d)
  elseif not left_out[i] then
    local backoff = backoffs[i]
    if not due[backoff] then
      due[backoff] = decimal(now + backoff)
      earliest = math.min(earliest or backoff, backoff)
    end
    scored[#scored + 1] = due[backoff]
    scored[#scored + 1] = members[i]
    -- In slices: `unpack` fails near 8,000 values.
    if #scored == 2000 then
      schedule()
    end
    if uniques[i] ~= '' then
      redis.call('SET', prefix .. 'didx:' .. uniques[i], members[i])
      redis.call('SADD', prefix .. 'delayed:unique', uniques[i])
    end
  end
end
if #scored > 0 then
  schedule()
end
if string.find(ARGV[9], 'r', 1, true) then
  -- Promotion looks for places in the room only if the key `gate` exists.
  take_numbers(prefix, now, 1)
end
if ARGV[#ARGV - 2] ~= '' then
  write_attempts(prefix, ARGV[#ARGV - 2], left_out)
end
if next(placed) then
  tell_workers(stream, prefix)
end
reply[1] = earliest and decimal(now + earliest) or ''
if head and earliest and (not head[2] or now + earliest < tonumber(head[2])) then
  -- The jobs are scheduled, even if the wake key has the wrong type.
  redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'due', reply[1])
end

if cap > 0 then
  local of = (unannounced > 0 and 'active,' or '') .. ARGV[11]
  -- There are about ten columns, far below the limit of `unpack`.
  local columns = { unpack(ARGV, 13, 12 + ARGV[12]) }
  announce_jobs(events, prefix, cap, tonumber(ARGV[8]), decimal(now), of, jobs, unannounced, columns, left_out)
end
return keep_reply(calls, batch.call, reply)
