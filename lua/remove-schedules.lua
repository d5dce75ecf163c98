-- Removes schedules. Jobs that they have fired already stay.
--
-- KEYS repeat prefix calls
-- ARGV the keys of the schedules; then call (see lib/call-replies.lua)
-- Reply { 1 or 0 per schedule }: 1 = it was there
--
-- Races
--   A scheduler has planned a fire: it finds no slot to replace, and leaves the schedule alone (fire-schedules.lua).
--   Sent twice, reply lost: the second call gets the reply of the first.

-- @include lib/call-replies
-- @include lib/removed-schedules

local calls, call = KEYS[3], ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local reply = {}
for i = 1, #ARGV - 1 do
  reply[i] = redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('DEL', KEYS[2] .. 'repeat:spec:' .. ARGV[i])
  remember_removed(KEYS[2], ARGV[i])
end
return keep_reply(calls, call, reply)
