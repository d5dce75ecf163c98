-- Clears a worker's own wake stream of what it has heard; or writes into it, which ends the worker's read of it.
--
-- KEYS stream wake prefix
-- ARGV 1 group  2 nudge  '1' = end the read
--      then, per wake entry heard: its id, and the entry of a cancelled job that the worker does not hold, else ''
-- Reply 1
--
-- Races: a job that the worker does not hold may have ended meanwhile, and its mark is deleted. Or it may be pending
-- here all the same (the reply that carried it was lost): then its entry is there, and whoever finds it needs the mark.

-- @include lib/drain

local stream, wake, prefix = KEYS[1], KEYS[2], KEYS[3]
for i = 3, #ARGV, 2 do
  redis.call('XACK', wake, ARGV[1], ARGV[i])
  redis.call('XDEL', wake, ARGV[i])
  local entry = ARGV[i + 1]
  if entry ~= '' and #redis.call('XRANGE', stream, entry, entry) == 0 then
    redis.call('DEL', prefix .. 'cancelled:' .. entry)
  end
end
if ARGV[2] == '1' then
  may_drain(prefix)
  redis.call('XADD', wake, '*', 'room', '1')
end
return 1
