-- Counts the waiting jobs without a group by their priority. Writes nothing.
--
-- KEYS stream room
-- ARGV priorities; 0 = the waiting jobs of the work stream, and those with lifo
-- Reply the counts, in the order of the arguments

-- @include lib/active
-- @include lib/room

local stream, room = KEYS[1], KEYS[2]
local reply = {}
for i = 1, #ARGV do
  local priority = tonumber(ARGV[i])
  if priority == 0 then
    reply[i] = math.max(0, redis.call('XLEN', stream) - count_active(stream)) + redis.call('ZLEXCOUNT', room, bounds_of_rank(0))
  else
    reply[i] = redis.call('ZLEXCOUNT', room, bounds_of_rank(priority + 1))
  end
end
return reply
