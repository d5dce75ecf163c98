-- Lets go of entries that this worker has taken over and cannot start: whichever worker has a handler free takes them over
-- at its next scan. They stay as they are, with the starts they have had: waiting here has cost them nothing.
--
-- KEYS stream
-- ARGV 1 group  2 consumer  3 first  4 last
--      5 others  ms: only if another worker of the group has read within so many ms
--      then the entry ids
-- Reply 1, or 0 where there is no other worker, and nothing was changed.
--
-- Races: as in complete.lua. Sent twice, the second time finds nothing that is the caller's.

-- @include lib/owned
-- @include lib/lease

local stream, group, me = KEYS[1], ARGV[1], ARGV[2]
local others = false
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local of = {}
  for i = 1, #consumer, 2 do
    of[consumer[i]] = consumer[i + 1]
  end
  others = others or (of.name ~= me and of.name ~= NOBODY and of.idle < tonumber(ARGV[5]))
end
if not others then
  return 0
end
local own = owned_between(stream, group, me, ARGV[3], ARGV[4])
for i = 6, #ARGV do
  if own[ARGV[i]] then
    -- JUSTID: the delivery counter, which counts starts, stays as it is.
    redis.call('XCLAIM', stream, group, NOBODY, 0, ARGV[i], 'JUSTID')
  end
end
return 1
