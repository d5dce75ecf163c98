-- Deletes dead letters.
--
-- KEYS dlq prefix calls
-- ARGV their ids; then call (see lib/call-replies.lua)
-- Reply how many were still there
--
-- The id of a dropped job is free at once, and result waiters learn that the job is gone, unless a later job has the id.
--
-- Races
--   Replayed meanwhile: XDEL decides. A dead letter is either dropped or replayed.
--   Sent twice, reply lost: the second call gets the reply of the first.

-- @include lib/call-replies
-- @include lib/envelope
-- @include lib/result-waiters
-- @include lib/tracked

local dlq, prefix, calls, call = KEYS[1], KEYS[2], KEYS[3], ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local is_awaited = has_waiters(prefix)
local dropped, gone, tracked = 0, {}, {}

-- The id of the job that a dead letter keeps, and the entry that the job was.
local function job_of(dead_letter)
  local found = redis.call('XRANGE', dlq, dead_letter, dead_letter)[1]
  local id, entry
  for i = 1, found and #found[2] or 0, 2 do
    if found[2][i] == 'd' then
      id = job_id_of(found[2][i + 1])
    elseif found[2][i] == 'source_id' then
      entry = found[2][i + 1]
    end
  end
  return id, entry
end

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

for i = 1, #ARGV - 1 do
  local id, entry = job_of(ARGV[i])
  dropped = dropped + redis.call('XDEL', dlq, ARGV[i])
  if id and redis.pcall('GET', prefix .. 'job:' .. id) == 'f' .. ARGV[i] then
    tracked[#tracked + 1] = id
  end
  if id and free_id(id, entry) and is_awaited then
    gone[#gone + 1] = id
  end
end
forget_tracked(prefix, tracked)
tell_gone(prefix, 'dropped', gone)
return keep_reply(calls, call, dropped)
