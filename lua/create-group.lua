-- Creates the group of a stream that is to be read, the stream, and the consumer, if they are missing; and the same group of other
-- streams that are read together with it. The group starts at 0, never at $: entries that were added before there was a group are
-- delivered too.
--
-- KEYS read
-- ARGV 1 group  2 consumer, '' = none
--      then the keys of the other streams, in the same slot
-- Reply 1
--
-- All of it is one step. Of what a worker stands on, only its own wake stream is certain to be missed by its next read if it is deleted:
-- another worker may create the rest anew. But who changes the policy wakes the consumers of the work stream, and a read that brings
-- nothing creates none before Redis 7.2.
--
-- Races
--   Two workers start at once, or sent twice: the second finds the group, which is no error.
--   The stream is deleted meanwhile (obliterate, FLUSHALL): before this step, and it is created anew; or after it, and the read fails.
--   Memory full: the limit forbids XGROUP CREATE and CREATECONSUMER as the first write, so the script begins with an XACK that acknowledges
--     nothing. A worker must be able to start on a full server, to drain it.
local group = ARGV[1]
local function create(stream)
  local created = redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
  return created.err and not string.find(created.err, 'BUSYGROUP', 1, true) and created
end
redis.call('XACK', KEYS[1], group, '0-0')
local failure = create(KEYS[1])
if failure then
  return failure
end
if ARGV[2] ~= '' then
  redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], group, ARGV[2])
end
for i = 3, #ARGV do
  failure = create(ARGV[i])
  if failure then
    return failure
  end
end
return 1
