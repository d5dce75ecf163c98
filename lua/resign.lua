-- Gives up the lead of the promoters or the schedulers when its process closes, and wakes another process at once.
--
-- KEYS lock wake
-- ARGV 1 holder
-- Reply 1; 0 = the holder did not lead
--
-- Races: another process leads already: then nothing is changed. Sent twice, the second call changes nothing.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', 1, '*', 'due', '0')
return 1
