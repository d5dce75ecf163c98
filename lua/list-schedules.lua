-- Reads schedules in the order of their next slot. Writes nothing.
--
-- KEYS repeat prefix
-- ARGV 1 from   counted from 0  2 count
--      3 order  'asc' = the earliest slot first; 'desc' = the latest
--      then the fields of a schedule to read
-- Reply { total, { key, slot, value… }… }: total is how many schedules there are. Fewer than count follow if they are large:
--      the caller asks for the rest.

local MOST_BYTES = 4194304

local set, prefix, order = KEYS[1], KEYS[2], ARGV[3]
local fields = {}
for i = 4, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
local reply = { redis.call('ZCARD', set) }
local range = { ARGV[1], ARGV[1] + ARGV[2] - 1 }
if order == 'desc' then
  range[3] = 'REV'
end
range[#range + 1] = 'WITHSCORES'
local found = redis.call('ZRANGE', set, unpack(range))
local bytes = 0
for i = 1, #found, 2 do
  -- There are about twenty fields, far below the limit of `unpack`.
  local values = redis.call('HMGET', prefix .. 'repeat:spec:' .. found[i], unpack(fields))
  for at = 1, #fields do
    bytes = bytes + #(values[at] or '')
  end
  table.insert(values, 1, found[i])
  table.insert(values, 2, found[i + 1])
  reply[#reply + 1] = values
  if bytes > MOST_BYTES then
    break
  end
end
return reply
