-- Creates the group of a stream that is to be read, and the stream, if they are missing. The group starts at 0, never at $:
-- entries that were added before there was a group are delivered too.
--
-- KEYS read
-- ARGV 1 group
-- Reply 1
--
-- Races
--   Two workers start at once, or sent twice: the second finds the group, which is no error.
--   Memory full: the limit forbids XGROUP CREATE as the first write, so the script begins with an XACK that acknowledges
--     nothing. A worker must be able to start on a full server, to drain it.
redis.call('XACK', KEYS[1], ARGV[1], '0-0')
local created = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if created.err and not string.find(created.err, 'BUSYGROUP', 1, true) then
  return created
end
return 1
