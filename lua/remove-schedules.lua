-- Removes schedules. Jobs that they have fired already stay.
--
-- KEYS repeat prefix calls
-- ARGV 1 owner  2 generation  '' or: only if no newer deployment of the owner has claimed its schedules
--      the keys of the schedules; then call (see lib/call-replies.lua)
-- Reply { 1, 0 or -1 per schedule }: 1 = it was there; -1 = a newer deployment of the owner has claimed its schedules, and
--      nothing was removed
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
local newest = ARGV[2] ~= '' and redis.call('HGET', KEYS[2] .. 'repeat:owners', ARGV[1])
local reply = {}
if newest and tonumber(newest) > tonumber(ARGV[2]) then
  for i = 3, #ARGV - 1 do
    reply[i - 2] = -1
  end
  return reply
end
for i = 3, #ARGV - 1 do
  reply[i - 2] = redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('DEL', KEYS[2] .. 'repeat:spec:' .. ARGV[i])
  remember_removed(KEYS[2], ARGV[i])
end
return keep_reply(calls, call, reply)
