-- Gives the lead of the promoter or the scheduler up when its process closes, and wakes another at once.
--
-- KEYS lock wake
-- ARGV 1 holder
-- Reply 1 where the holder led, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', 1, '*', 'due', '0')
return 1
