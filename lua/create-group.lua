-- Makes the group of a stream that is to be read, and the stream, where they are not there; at the memory limit too, for
-- a worker must start there to drain. From 0, never from $: what was added while there was no group is there.
--
-- KEYS read
-- ARGV 1 group
-- Reply 1
--
-- The memory limit forbids to begin with XGROUP CREATE; this XACK acknowledges nothing.
redis.call('XACK', KEYS[1], ARGV[1], '0-0')
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
return 1
