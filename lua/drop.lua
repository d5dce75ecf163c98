-- Deletes dead letters for good.
--
-- KEYS dlq prefix
-- ARGV their ids
-- Reply how many were still there
--
-- @include lib/envelope
-- @include lib/ended
local dlq, prefix = KEYS[1], KEYS[2]
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

for i = 1, #ARGV do
  local job = is_awaited and job_of(ARGV[i])
  dropped = dropped + redis.call('XDEL', dlq, ARGV[i])
  if job then
    jobs[#jobs + 1] = job
  end
end
tell_gone(prefix, 'dropped', jobs)
return dropped
