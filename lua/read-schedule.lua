-- Reads one schedule. Writes nothing.
--
-- KEYS repeat prefix
-- ARGV 1 key  then the fields of the schedule to read
-- Reply { slot, value… }; {} = there is no such schedule

local slot = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not slot then
  return {}
end
local reply = { slot }
for i = 2, #ARGV do
  reply[i] = redis.call('HGET', KEYS[2] .. 'repeat:spec:' .. ARGV[1], ARGV[i])
end
return reply
