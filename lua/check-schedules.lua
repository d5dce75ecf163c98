-- Looks whether schedules that this process has registered are still there. Writes nothing.
--
-- KEYS repeat prefix
-- ARGV the keys of the schedules
-- Reply { { state, next, fired } per schedule }: state 1 = it is there, and next is its slot in unix ms; 0 = it is missing,
--      and nobody removed it; -1 = it was removed, or it is over.

-- @include lib/removed-schedules

local set, prefix = KEYS[1], KEYS[2]
local reply = {}
for i = 1, #ARGV do
  local next_slot = redis.call('ZSCORE', set, ARGV[i])
  if next_slot then
    reply[i] = { 1, next_slot, redis.call('HGET', prefix .. 'repeat:spec:' .. ARGV[i], 'fired') or '0' }
  else
    reply[i] = { redis.call('EXISTS', removed_key(prefix, ARGV[i])) == 1 and -1 or 0, '', '' }
  end
end
return reply
