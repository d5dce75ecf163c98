-- Deletes dead letters.
--
-- KEYS dlq prefix calls
-- ARGV their ids; then call (see lib/call-replies.lua)
-- Reply how many were still there
--
-- Races
--   Replayed meanwhile: XDEL decides. A dead letter is either dropped or replayed.
--   Sent twice, reply lost: the second call gets the reply of the first.

-- @include lib/call-replies
-- @include lib/envelope
-- @include lib/result-waiters

local dlq, prefix, calls, call = KEYS[1], KEYS[2], KEYS[3], ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local is_awaited = has_waiters(prefix)
local dropped, jobs = 0, {}

local function job_of(dead_letter)
  local found = redis.call('XRANGE', dlq, dead_letter, dead_letter)[1]
  for i = 1, found and #found[2] or 0, 2 do
    if found[2][i] == 'd' then
      return job_id_of(found[2][i + 1])
    end
  end
end

for i = 1, #ARGV - 1 do
  local job = is_awaited and job_of(ARGV[i])
  dropped = dropped + redis.call('XDEL', dlq, ARGV[i])
  if job then
    jobs[#jobs + 1] = job
  end
end
tell_gone(prefix, 'dropped', jobs)
return keep_reply(calls, call, dropped)
