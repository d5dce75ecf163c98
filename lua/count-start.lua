-- Counts the start of a job whose worker has died before. Only starts use attempts from then on: a job that waits in the
-- buffer of the next worker that dies uses none. A first start needs no count, because the first delivery counts as one.
--
-- KEYS stream
-- ARGV 1 group  2 consumer  3 entry id  4 starts, this one included
-- Reply 1; 0 = the lease is no longer the caller's
--
-- Races: sent twice, it sets the same number twice. A worker that dies after this call has used the start.

-- @include lib/fence

local stream, group, consumer, id = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not own_between(stream, group, consumer, id, id)[id] then
  return 0
end
redis.call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', ARGV[4], 'JUSTID')
return 1
