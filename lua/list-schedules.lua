-- Reads schedules in the order of their next slot, without their payloads. Writes nothing.
--
-- KEYS repeat prefix
-- ARGV 1 from  counted from 0  2 count  then the fields of a schedule to read
-- Reply { { key, slot, value… }… }

local fields = {}
for i = 3, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
local reply = {}
local found = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
for i = 1, #found, 2 do
  -- There are about ten fields, far below the limit of `unpack`.
  local values = redis.call('HMGET', KEYS[2] .. 'repeat:spec:' .. found[i], unpack(fields))
  table.insert(values, 1, found[i])
  table.insert(values, 2, found[i + 1])
  reply[#reply + 1] = values
end
return reply
