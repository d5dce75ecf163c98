-- Removes repeatable specs. Jobs that they have fired already stay.
--
-- KEYS repeat prefix calls
-- ARGV the keys of the specs; then call (see answer.lua)
-- Reply { 1 or 0 per spec }: 1 = it was there. Sent twice, the second time says what the first said.
-- @include lib/answer
-- @include lib/repeat-gone
local calls, call = KEYS[3], ARGV[#ARGV]
local said = answered(calls, call)
if said then
  return said
end
local reply = {}
for i = 1, #ARGV - 1 do
  reply[i] = redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('DEL', KEYS[2] .. 'repeat:spec:' .. ARGV[i])
  remember_gone(KEYS[2], ARGV[i])
end
return answer(calls, call, reply)
