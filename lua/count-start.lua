-- Counts the start of a job whose worker has died before. A job that keeps killing its worker thus uses up its attempts,
-- while jobs that were merely in flight with it do not. A first start needs no count: its delivery is one.
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
