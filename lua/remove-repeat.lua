-- Removes repeatable specs. Jobs that they have fired already stay.
--
-- KEYS repeat prefix
-- ARGV the keys of the specs
-- Reply { 1 or 0 per spec }: 1 = it was there. Sent twice, the second time says 0.
local reply = {}
for i = 1, #ARGV do
  reply[i] = redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('DEL', KEYS[2] .. 'repeat:spec:' .. ARGV[i])
end
return reply
