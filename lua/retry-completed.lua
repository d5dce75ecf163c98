-- Runs completed jobs again that are kept: moves them to the work stream, or to the room, with all attempts available.
--
-- KEYS stream delayed events prefix calls
-- ARGV 1 until       the oldest that completed at or before this time, unix ms; '' = the jobs whose ids follow
--      2 most        how many jobs at most; never more than 1,000
--      3 skip        with a time: how many of the oldest are passed over, because they have stayed before
--      4 events_cap  0 = no events
--      then job ids; then call (see lib/call-replies.lua)
-- Reply { looked at, moved, stayed }: if none was looked at, none is left. A job stays if another live job has its
--      deduplication id.
--
-- Races
--   Added again meanwhile: a new job of the same id makes Redis forget the completed one (add.lua).
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua.

-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/live-job
-- @include lib/dedup-of-job
-- @include lib/split-job
-- @include lib/ready
-- @include lib/add-waiting
-- @include lib/seal
-- @include lib/events
-- @include lib/time

local stream, delayed, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local most, cap, call = tonumber(ARGV[2]), tonumber(ARGV[4]), ARGV[#ARGV]
-- What one call looks at; and about 512 kB of records.
local MOST_JOBS, MOST_BYTES = 1000, 524288
local said = kept_reply(calls, call)
if said then
  return said
end
local sealed = seal_of(stream)
if sealed then
  return sealed
end
local index = prefix .. 'completed'
local ids
if ARGV[1] == '' then
  ids = { unpack(ARGV, 5, #ARGV - 1) }
else
  ids = redis.call('ZRANGEBYSCORE', index, '-inf', ARGV[1], 'LIMIT', ARGV[3], math.min(most, MOST_JOBS))
end

check_room(prefix)
allow_writes_at_memory_limit(prefix)
local ts = decimal(now_ms())
local looked, moved, stayed, bytes, remains = 0, 0, 0, 0, {}
for i = 1, #ids do
  local id = ids[i]
  local record = redis.call('ZSCORE', index, id) and redis.pcall('GET', prefix .. 'job:' .. id)
  local name, d = job_of_record(record)
  d = d and with_fresh_attempts(d)
  -- Its time to live starts anew.
  d = d and with_ready(d, now_ms(), true)
  looked, bytes = i, bytes + (type(record) == 'string' and #record or 0)
  local may, dedup = true, nil
  if d then
    may, dedup = may_start_over(stream, delayed, prefix, id, d)
  end
  if d and may and life_of(stream, delayed, prefix, id) ~= 'live' then
    local keep = string.match(text_of(prefix .. 'dlid:' .. id) or '', '^(%d+):') or '0'
    add_waiting(stream, prefix, id, d, name, keep)
    if dedup then
      set_field(dedup, 'job', id)
    end
    archive_attempts(prefix, id)
    redis.call('UNLINK', prefix .. 'job:' .. id)
    add_remains(remains, prefix, id)
    moved = moved + 1
    if cap > 0 then
      write_event(events, 'waiting', id, ts, name)
    end
  end
  if may then
    -- Also a job whose record is gone or cannot be read: it would stay at the head of the index.
    redis.call('ZREM', index, id)
  else
    stayed = stayed + 1
  end
  if bytes >= MOST_BYTES then
    break
  end
end
delete_keys(remains)
tell_workers(stream, prefix)
if cap > 0 then
  trim_events(events, cap)
end
return keep_reply(calls, call, { looked, moved, stayed })
