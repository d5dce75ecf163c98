-- Reads what is kept of tracked jobs. Writes nothing.
--
-- KEYS prefix
-- ARGV job ids
-- Reply { per job, in turns: how it ended, nil if it has not ended or is not kept (see lib/tracked.lua); the fields and values of
--      `job-runs`, empty if there are none }. Of the first jobs asked for: as many as fit into a megabyte, at least one.

-- @include lib/pages

local reply, bytes = {}, 0
for i = 1, #ARGV do
  local id = ARGV[i]
  -- For a key of another type, MGET says that there is nothing.
  local record = redis.call('MGET', KEYS[1] .. 'job:' .. id)[1]
  local runs = redis.pcall('HGETALL', KEYS[1] .. 'job-runs:' .. id)
  if runs.err then
    runs = {}
  end
  reply[#reply + 1] = record
  reply[#reply + 1] = runs
  bytes = bytes + (record and #record or 0) + bytes_of(runs)
  if bytes >= 1048576 then
    break
  end
end
return reply
