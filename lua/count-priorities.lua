-- Counts the waiting jobs of a group, or those without a group, by their priority. Writes nothing.
--
-- KEYS stream room
-- ARGV 1 group  '' = without a group
--      priorities; 0 = jobs without a priority, and those with lifo
-- Reply the counts, in the order of the priorities

-- @include lib/active
-- @include lib/room

local stream, room, group = KEYS[1], KEYS[2], ARGV[1]
local reply = {}
for i = 2, #ARGV do
  local priority = tonumber(ARGV[i])
  local count = redis.call('ZLEXCOUNT', room, bounds_of_rank(group, priority + 1))
  if priority == 0 then
    count = count + redis.call('ZLEXCOUNT', room, bounds_of_rank(group, 0))
    -- Without a group, they wait in the work stream.
    if group == '' then
      count = count + math.max(0, redis.call('XLEN', stream) - count_active(stream))
    end
  end
  reply[i - 1] = count
end
return reply
