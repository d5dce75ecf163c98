-- Deletes dead letters.
--
-- KEYS dlq events prefix calls
-- ARGV 1 event       'removed' = an event for each job; 'cleaned' = one event for all
--      2 events_cap  0 = no events
--      then the ids of dead letters; then call (see lib/call-replies.lua)
-- Reply { per dead letter that was still there: the id of its job, or its own if it has no job }
--
-- The id of a dropped job is free at once, and result waiters learn that the job is gone, unless a later job has the id.
--
-- Races
--   Replayed meanwhile: XDEL decides. A dead letter is either dropped or replayed.
--   Sent twice, reply lost: the second call gets the reply of the first.

-- @include lib/call-replies
-- @include lib/envelope
-- @include lib/pages
-- @include lib/result-waiters
-- @include lib/tracked
-- @include lib/cleaned

local dlq, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local cap, call = tonumber(ARGV[2]), ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local is_awaited = has_waiters(prefix)
local dropped, gone, tracked = {}, {}, {}

-- True if the last job of this id is the one that was that entry. Its id is free then.
local function free_id(id, entry)
  local key = prefix .. 'dlid:' .. id
  local marker = redis.pcall('GET', key)
  if not marker then
    return redis.call('EXISTS', prefix .. 'result:' .. id) == 0
  end
  if type(marker) ~= 'string' or string.match(marker, '^%d+:(.*)$') ~= entry or redis.call('PTTL', key) < 0 then
    return false
  end
  redis.call('DEL', key)
  return true
end

local ts
for i = 3, #ARGV - 1 do
  local found = redis.call('XRANGE', dlq, ARGV[i], ARGV[i])[1]
  if found and redis.call('XDEL', dlq, ARGV[i]) == 1 then
    local d = field_of(found[2], 'd')
    local id = d and job_id_of(d)
    dropped[#dropped + 1] = id or ARGV[i]
    if id and redis.pcall('GET', prefix .. 'job:' .. id) == 'f' .. ARGV[i] then
      tracked[#tracked + 1] = id
    end
    if id and free_id(id, field_of(found[2], 'source_id')) then
      if is_awaited then
        gone[#gone + 1] = id
      end
      -- The job has not failed any more: it is gone.
      redis.pcall('SET', prefix .. 'failed:' .. id, 'dropped', 'XX', 'PX', 60000)
    end
    if cap > 0 and ARGV[1] == 'removed' then
      ts = ts or decimal(now_ms())
      write_event(events, 'removed', id or '', ts, field_of(found[2], 'n') or '', 'prev', 'failed')
    end
  end
end
if #tracked > 0 then
  forget_tracked(prefix, tracked)
end
tell_gone(prefix, 'dropped', gone)
if ARGV[1] == 'cleaned' then
  announce_cleaned(events, cap, #dropped, 'failed')
end
return keep_reply(calls, call, dropped)
