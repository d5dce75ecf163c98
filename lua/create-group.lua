-- Creates the group of a stream that is to be read, the stream, and the consumer, if they are missing. The group starts at 0,
-- never at $: entries that were added before there was a group are delivered too.
--
-- KEYS read
-- ARGV 1 group  2 consumer, '' = none
-- Reply 1
--
-- Races
--   Two workers start at once, or sent twice: the second finds the group, which is no error.
--   The stream is deleted meanwhile (obliterate): before this step, and it is created anew; or after it, and the read fails.
--   Memory full: the limit forbids XGROUP CREATE and CREATECONSUMER as the first write, so the script begins with an XACK that acknowledges
--     nothing. A worker must be able to start on a full server, to drain it.
redis.call('XACK', KEYS[1], ARGV[1], '0-0')
local created = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if created.err and not string.find(created.err, 'BUSYGROUP', 1, true) then
  return created
end
if ARGV[2] ~= '' then
  redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return 1
