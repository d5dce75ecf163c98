-- Reads rows of the log of a job. Writes nothing.
--
-- KEYS prefix
-- ARGV 1 job id  2 from  3 to   positions as in LRANGE: from 0, or from the end with -1 as the last row
-- Reply { count, next, row… }: count is how many rows the log has; next is the position at which to go on, -1 = that is all. Of
--      the rows: as many as fit into a megabyte, at least one.

local log = KEYS[1] .. 'job-logs:' .. ARGV[1]
local count = redis.call('LLEN', log)
local function position(text)
  local at = tonumber(text)
  return at < 0 and at + count or at
end
local from, to = math.max(position(ARGV[2]), 0), math.min(position(ARGV[3]), count - 1)
local reply, bytes = { count, -1 }, 0
local at = from
-- Rows of a page. A row may have 100 kB.
local PAGE = 20
while at <= to do
  local rows = redis.call('LRANGE', log, at, math.min(at + PAGE - 1, to))
  for i = 1, #rows do
    reply[#reply + 1] = rows[i]
    bytes = bytes + #rows[i]
  end
  at = at + #rows
  if bytes >= 1048576 or #rows == 0 then
    break
  end
end
if at <= to then
  reply[2] = at
end
return reply
