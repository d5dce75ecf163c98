-- Deletes dead letters for good.
--
-- KEYS dlq prefix calls
-- ARGV their ids; then call (see answer.lua)
-- Reply how many were still there. Sent twice, the second time says what the first said.
--
-- @include lib/answer
-- @include lib/envelope
-- @include lib/ended
local dlq, prefix, calls, call = KEYS[1], KEYS[2], KEYS[3], ARGV[#ARGV]
local said = answered(calls, call)
if said then
  return said
end
local is_awaited = somebody_waits(prefix)
local dropped, jobs = 0, {}

local function job_of(letter)
  local found = redis.call('XRANGE', dlq, letter, letter)[1]
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
return answer(calls, call, dropped)
