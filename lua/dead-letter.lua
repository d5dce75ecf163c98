-- Moves jobs from the work stream to the dead letters, with their original bytes.
--
-- KEYS stream dlq events prefix calls
-- ARGV 1–6 see lib/end-batch.lua
--      7 events_cap   0 = no events
--      8 dlq_cap      about how many dead letters are kept; 0 = all
--      9 remember_ms  for how long `failed:<job id>` tells result waiters why there is no result: the reason, a line feed,
--                     the detail
--     per job: entry id; job id or ''; name; the attempt that failed; duration in µs, '' if no handler ran; reason; detail;
--                     ms for which the id stays taken, '' if it is not the caller's; stack or ''
--     kept         a byte per job, '' = all are '-': '-' it becomes a dead letter; 't' it does, and is tracked; 'r' it is gone,
--                  because its option `removeOnFail` says so
--     tracked      the attempts of the tracked jobs, '' = there are none: see `write_attempts` of lib/tracked.lua
--     dedups       as in complete.lua
--     most, age    how many dead letters are kept, '' = as many as the cap allows; for how many ms, '' = for good
--     gaps, call      see lib/end-batch.lua
-- Reply { evicted, … }: evicted is how many old dead letters the cap has dropped. Then, of jobs that stay as they are, the
--      index (from 1): positive = the lease is no longer the caller's; negative = the job was cancelled (cancel.lua).
--
-- Races
--   Worker dead halfway: the job leaves the stream in the same step in which it becomes a dead letter. Its bytes are copied
--     inside Redis, so they cannot change on the way.
--   Lease lost, rolled back, sent twice, reply lost, memory full: as in complete.lua.
--   Cancelled meanwhile: as in retry.lua.

-- @include lib/end-batch
-- @include lib/seal
-- @include lib/time
-- @include lib/result-waiters
-- @include lib/envelope
-- @include lib/pages
-- @include lib/tracked
-- @seldom lib/dedup

local stream, dlq, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local batch = read_batch()
local cap, dlq_cap = tonumber(ARGV[7]), tonumber(ARGV[8])
local WIDTH = 9

local said = kept_reply(calls, batch.call, { 0 })
if said then
  return said
end

-- A DLQ that accepts no entry, or has the wrong type, fails here, before the job's entry is gone.
local sealed = seal_of(dlq)
if sealed then
  return sealed
end
local entries = {}
for i = 1, batch.jobs do
  entries[i] = ARGV[10 + (i - 1) * WIDTH]
end
local reply = { 0 }
local done, left_out = fence_batch(stream, prefix, batch, entries, reply)
-- The fields of the entries, by index. An entry that somebody deleted while it was pending has none: there is nothing to
-- keep, so it only leaves the pending list.
local originals = {}
for i = 1, batch.jobs do
  if not left_out[i] then
    local entry = redis.call('XRANGE', stream, entries[i], entries[i])[1]
    if entry then
      originals[i] = entry[2]
    else
      reply[#reply + 1] = i
      left_out[i] = true
    end
  end
end
end_leases(stream, batch, done)
free_slots(prefix, batch, entries, done)

-- Field names that the dead letter uses itself. An entry that was written by hand may have them too.
local reserved = { source_id = true, reason = true, detail = true, attempts = true, failed_at = true, stack = true }
local now = decimal(now_ms())
local told = #done > 0 and has_waiters(prefix) and {}
local kept, removed, tracked = ARGV[#ARGV - 6], {}, false
for i = 1, batch.jobs do
  local original = originals[i]
  if original then
    local from = 10 + (i - 1) * WIDTH
    local id, job_id, name, attempt, duration = ARGV[from], ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], ARGV[from + 4]
    local reason, detail, keep, stack = ARGV[from + 5], ARGV[from + 6], ARGV[from + 7], ARGV[from + 8]
    local fields = {}
    -- `unpack` fails near 8,000 values: of a hostile entry with more fields than that, the first are kept.
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
    local how = string.sub(kept, i, i)
    if how ~= 'r' then
      local dead_letter = redis.call('XADD', dlq, '*', unpack(fields))
      if how == 't' then
        redis.call('SET', prefix .. 'job:' .. job_id, 'f' .. dead_letter)
        tracked = true
      end
    elseif job_id ~= '' then
      removed[#removed + 1] = job_id
    end
    if job_id ~= '' then
      remember_failure(prefix, job_id, reason, detail, ARGV[9], told)
    end
    if keep ~= '' then
      redis.call('PEXPIRE', prefix .. 'dlid:' .. job_id, keep)
    end
    if cap > 0 then
      if i <= batch.unannounced then
        write_event(events, 'active', job_id, now, name, 'attempt', attempt)
      end
      if duration ~= '' then
        write_event(events, 'failed', job_id, now, name, 'attempt', attempt, 'reason', detail, 'duration_us', duration)
      end
      write_event(events, 'dlq', job_id, now, name, 'attempt', attempt, 'reason', reason)
    end
  end
end
if told then
  tell_waiters(prefix, 'dead', told)
end
if ARGV[#ARGV - 5] ~= '' then
  write_attempts(prefix, ARGV[#ARGV - 5], left_out)
end
if ARGV[#ARGV - 4] ~= '' then
  release_ended(stream, prefix, ARGV[#ARGV - 4], left_out)
end
if tracked then
  redis.call('SET', prefix .. 'dlq:tracked', 1)
end
if #removed > 0 then
  forget_tracked(prefix, removed)
end

-- Drops the oldest dead letters, at most so many, and what is kept of their jobs. `to`: see XRANGE. Returns how many.
local function drop_oldest(most, to)
  local dropped, gone = {}, {}
  local range = { from = '-', to = to, entries = math.min(most, MOST_TRIMMED), bytes = 1048576 }
  each_page(dlq, range, function(entries)
    for i = 1, #entries do
      local entry = entries[i]
      local d = field_of(entry[2], 'd')
      local id = d and job_id_of(d)
      dropped[#dropped + 1] = entry[1]
      -- A later job may have the id.
      if id and redis.pcall('GET', prefix .. 'job:' .. id) == 'f' .. entry[1] then
        gone[#gone + 1] = id
      end
    end
  end)
  if #dropped > 0 then
    redis.call('XDEL', dlq, unpack(dropped))
    forget_tracked(prefix, gone)
  end
  return #dropped
end

local function trim_to(most)
  local extra = redis.call('XLEN', dlq) - most
  return extra > 0 and drop_oldest(extra, '+') or 0
end

if #done > 0 then
  local most, age = ARGV[#ARGV - 3], ARGV[#ARGV - 2]
  if age ~= '' then
    drop_oldest(MOST_TRIMMED, decimal(math.max(now - age - 1, 0)))
  end
  if most ~= '' then
    trim_to(tonumber(most))
  end
  if dlq_cap > 0 then
    if redis.call('EXISTS', prefix .. 'dlq:tracked') == 1 then
      reply[1] = trim_to(dlq_cap)
    else
      reply[1] = redis.call('XTRIM', dlq, 'MAXLEN', '~', dlq_cap)
    end
    if reply[1] > 0 then
      redis.pcall('INCRBY', prefix .. 'dlq:evicted', reply[1])
    end
  end
  if cap > 0 then
    announce_drained(stream, events, now)
    trim_events(events, cap)
  end
end
return keep_reply(calls, batch.call, reply, #reply == 1 and reply[1] == 0)
