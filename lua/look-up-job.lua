-- Where one job is, and its bytes, as far as Redis knows it without a search: an id of the caller's has a marker (lib/live-job.lua),
-- and a job that has ended may have left its result, or why there is none. Writes nothing.
--
-- KEYS stream delayed dlq prefix
-- ARGV 1 job id
--      2 member, 3 entry, 4 dead letter: where it was when the caller last saw it, '' = not there. It may have moved since, and then this
--        does as if it were not known
-- Reply { state, now, row }: state is 'live', 'completed', 'failed', or '' if Redis has no record of the job, so that the caller has to
--      search; now in unix ms; row: see lib/job-rows.lua, none if the bytes of the job are not known

-- @include lib/job-rows
-- @include lib/live-job
-- @include lib/time

local stream, delayed, dlq, prefix, id = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local now = decimal(now_ms())

-- The row of a live job; nil if it is neither of these.
local function row_at(member, entry_id)
  local score = member and redis.call('ZSCORE', delayed, member)
  if score then
    return member_row(member, score)
  end
  if member and redis.call('ZSCORE', prefix .. 'room', member) then
    return room_row(member)
  end
  if entry_id and is_entry_of(stream, entry_id, id) then
    local entry = redis.call('XRANGE', stream, entry_id, entry_id)[1]
    return entry_row(entry, pending_of(stream, groups_of(stream), { entry })[entry_id])
  end
end

local marker, row = redis.call('GET', prefix .. 'dlid:' .. id), nil
if marker and redis.call('PTTL', prefix .. 'dlid:' .. id) < 0 then
  row = row_at(redis.call('GET', prefix .. 'didx:' .. id), string.match(marker, '^%d+:(.*)$'))
elseif not marker then
  row = row_at(ARGV[2] ~= '' and ARGV[2], ARGV[3] ~= '' and ARGV[3])
end
if row then
  return { 'live', now, row }
end

-- A tracked job: see lib/tracked.lua.
local kept = redis.call('GETRANGE', prefix .. 'job:' .. id, 0, 63)
local dead_letter = string.match(kept, '^f(%d+%-%d+)$')
if dead_letter then
  local letter = redis.call('XRANGE', dlq, dead_letter, dead_letter)[1]
  return { 'failed', now, letter and letter_row(letter) }
elseif kept ~= '' or redis.call('EXISTS', prefix .. 'result:' .. id) == 1 then
  return { 'completed', now }
end
local seen_letter = ARGV[4] ~= '' and redis.call('XRANGE', dlq, ARGV[4], ARGV[4])[1]
if seen_letter then
  return { 'failed', now, letter_row(seen_letter) }
end
local why = redis.call('GETRANGE', prefix .. 'failed:' .. id, 0, 7)
-- These two are not failures: see lib/result-waiters.lua.
return { why ~= '' and why ~= 'removed' and why ~= 'dropped' and 'failed' or '', now }
