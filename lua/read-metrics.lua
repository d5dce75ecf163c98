-- Reads how many jobs have ended, by the minute. Writes nothing. See count-ended.lua.
--
-- KEYS prefix
-- ARGV 1 kind   'completed' or 'failed'
--      2 start  3 end   which of the minutes before the newest: 0 = the one before it; at most 4,000 of them
-- Reply { count, last, newest, points, value… }: count = all jobs; last = the newest minute since 1970 that has a count, '' = none
--      has; newest = its count; points = how many minutes before it are kept

-- @include lib/time

local key = KEYS[1] .. 'metrics:' .. ARGV[1]
local head = redis.call('HMGET', key, 'count', 'first', 'last')
local last = tonumber(head[3])
if not last then
  return { head[1] or '0', '', '0', 0 }
end
local points = math.max(0, last - (tonumber(head[2]) or last))
local reply = { head[1] or '0', decimal(last), redis.call('HGET', key, decimal(last)) or '0', points }
local fields = {}
for i = tonumber(ARGV[2]), math.min(tonumber(ARGV[3]), points - 1, ARGV[2] + 3999) do
  fields[#fields + 1] = decimal(last - 1 - i)
end
if #fields > 0 then
  local values = redis.call('HMGET', key, unpack(fields))
  for i = 1, #values do
    reply[#reply + 1] = values[i] or '0'
  end
end
return reply
