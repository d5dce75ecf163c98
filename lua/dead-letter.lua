-- Moves jobs from the work stream to the dead letters, with their original bytes.
--
-- KEYS stream dlq events prefix calls
-- ARGV 1 group  2 consumer  3 first  4 last  5 jobs  6 unannounced   as in complete.lua
--      7 events_cap   0 = no events
--      8 dlq_cap      about how many dead letters are kept, 0 = all
--      9 remember_ms  for how long `failed:<job id>` tells whoever waits for a result why there will be none: the reason, a
--                     line feed, the detail
--     then, per job: entry id, job id or '', name, the attempt that failed, duration in µs or '' where no handler ran,
--     reason, detail, ms for which the id stays taken ('' where it was not the caller's), stack or ''
--     then gaps (see owned.lua), call (see answer.lua)
-- Reply { evicted, lost… }: how many old dead letters the cap has dropped, then indices (from 1) of jobs whose lease
--      is no longer ours, and, negative, of jobs that were cancelled (cancel.lua): they stay as they are, to be ended.
--
-- Races: as in complete.lua. The bytes are copied inside Redis, so they cannot change on the way.

-- @include lib/owned
-- @include lib/answer
-- @include lib/cancelled
-- @include lib/events
-- @include lib/open
-- @include lib/ended

local stream, dlq, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group = ARGV[1]
local jobs, unannounced, cap, dlq_cap = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local width = 9
local gaps, call = ARGV[#ARGV - 1], ARGV[#ARGV]

local said = answered(calls, call, { 0 })
if said then
  return said
end

-- A DLQ that takes no entry, or has the wrong type, fails here, before the entry is gone.
local full = sealed(dlq)
if full then
  return full
end
local own = owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local cancelled = cancelled_among(prefix, own)
local reply = { 0 }
local done, letters = {}, {}
for i = 1, jobs do
  local id = ARGV[10 + (i - 1) * width]
  if cancelled[id] then
    reply[#reply + 1] = -i
  else
    local entry = own[id] and redis.call('XRANGE', stream, id, id)[1]
    if own[id] then
      -- Pending without an entry: somebody deleted it. There are no bytes to keep, so it only leaves the pending list.
      done[#done + 1] = id
      -- Once: a batch that has it twice ran it twice.
      own[id] = nil
    end
    if entry then
      letters[i] = entry[2]
    else
      reply[#reply + 1] = i
    end
  end
end
finish(stream, group, done, jobs, ARGV[3], ARGV[4], gaps)

-- Names that the dead letter uses for itself; a hand-written entry may bear them too.
local reserved = { source_id = true, reason = true, detail = true, attempts = true, failed_at = true, stack = true }
local now = decimal(now_ms())
local told = #done > 0 and somebody_waits(prefix) and {}
for i = 1, jobs do
  local original = letters[i]
  if original then
    local from = 10 + (i - 1) * width
    local id, job_id, name, attempt, duration = ARGV[from], ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], ARGV[from + 4]
    local reason, detail, keep, stack = ARGV[from + 5], ARGV[from + 6], ARGV[from + 7], ARGV[from + 8]
    local fields = {}
    -- unpack fails near 8,000 values: of a hostile entry with more fields than that, the first are kept.
    for f = 1, math.min(#original, 4000), 2 do
      local field = original[f]
      fields[#fields + 1] = reserved[field] and ('original_' .. field) or field
      fields[#fields + 1] = original[f + 1]
    end
    for _, value in ipairs({ 'source_id', id, 'reason', reason, 'attempts', attempt, 'failed_at', now }) do
      fields[#fields + 1] = value
    end
    if detail ~= '' then
      fields[#fields + 1] = 'detail'
      fields[#fields + 1] = detail
    end
    if stack ~= '' then
      fields[#fields + 1] = 'stack'
      fields[#fields + 1] = stack
    end
    redis.call('XADD', dlq, '*', unpack(fields))
    if job_id ~= '' then
      local why = detail == '' and reason or (reason .. '\n' .. detail)
      redis.call('SET', prefix .. 'failed:' .. job_id, why, 'PX', ARGV[9])
      if told then
        told[#told + 1] = ended_frame(job_id, why)
      end
    end
    if keep ~= '' then
      redis.call('PEXPIRE', prefix .. 'dlid:' .. job_id, keep)
    end
    if cap > 0 then
      local tag = name == '' and {} or { 'n', name }
      if i <= unannounced then
        redis.pcall('XADD', events, '*', 'e', 'active', 'id', job_id, 'ts', now, 'attempt', attempt, unpack(tag))
      end
      if duration ~= '' then
        redis.pcall('XADD', events, '*', 'e', 'failed', 'id', job_id, 'ts', now, 'attempt', attempt, 'reason', detail, 'duration_us', duration, unpack(tag))
      end
      redis.pcall('XADD', events, '*', 'e', 'dlq', 'id', job_id, 'ts', now, 'attempt', attempt, 'reason', reason, unpack(tag))
    end
  end
end
if told then
  tell_ended(prefix, 'dead', told)
end
if #done > 0 then
  if dlq_cap > 0 then
    reply[1] = redis.call('XTRIM', dlq, 'MAXLEN', '~', dlq_cap)
    if reply[1] > 0 then
      redis.call('INCRBY', prefix .. 'dlq:evicted', reply[1])
    end
  end
  if cap > 0 then
    if redis.call('XLEN', stream) == 0 then
      redis.pcall('XADD', events, '*', 'e', 'drained', 'id', '', 'ts', now)
    end
    trim_events(events, cap)
  end
end
return answer(calls, call, reply, #reply == 1 and reply[1] == 0)
