-- Hands over entries that the worker has reclaimed and cannot start: the first worker with a free handler reclaims them at
-- its next scan. They keep the starts they have had: waiting here has cost them nothing.
--
-- KEYS stream
-- ARGV 1 group  2 consumer  3 first  4 last   as in lib/end-batch.lua
--      5 others   ms: hand over only if another worker of the group has read within so many ms
--      then the entry ids
-- Reply 1; 0 = there is no other worker, and nothing was changed
--
-- Races: an entry whose lease is no longer the caller's stays where it is. Sent twice, the second call finds no entry of the
-- caller's.

-- @include lib/fence
-- @include lib/lease

local stream, group, me = KEYS[1], ARGV[1], ARGV[2]
if not has_other_worker(consumers_of(stream, group), me, tonumber(ARGV[5])) then
  return 0
end
local own = own_between(stream, group, me, ARGV[3], ARGV[4])
for i = 6, #ARGV do
  if own[ARGV[i]] then
    -- JUSTID: the delivery counter, which counts starts, stays as it is.
    redis.call('XCLAIM', stream, group, NOBODY, 0, ARGV[i], 'JUSTID')
  end
end
return 1
