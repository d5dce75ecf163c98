-- Looks whether specs are there that this process has registered. Writes nothing.
--
-- KEYS repeat prefix
-- ARGV the keys of the specs
-- Reply { { state, next, fired } per spec }: state 1 = it is there (next is its slot in unix ms); 0 = it is not, and nobody
--      removed it; -1 = somebody removed it, or it is over.

-- @include lib/repeat-gone

local set, prefix = KEYS[1], KEYS[2]
local reply = {}
for i = 1, #ARGV do
  local next_slot = redis.call('ZSCORE', set, ARGV[i])
  if next_slot then
    reply[i] = { 1, next_slot, redis.call('HGET', prefix .. 'repeat:spec:' .. ARGV[i], 'fired') or '0' }
  else
    reply[i] = { redis.call('EXISTS', gone_key(prefix, ARGV[i])) == 1 and -1 or 0, '', '' }
  end
end
return reply
