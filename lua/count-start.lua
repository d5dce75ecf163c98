-- Counts the start of a job whose worker has died before, so that one which keeps killing its worker runs out of
-- attempts while those that merely waited beside it do not. A first start needs no count: the delivery is one.
--
-- KEYS stream
-- ARGV 1 group  2 consumer  3 entry id  4 starts, this one included
-- Reply 1, or 0 where the lease is no longer ours.

-- @include lib/owned

local stream, id = KEYS[1], ARGV[3]
if not owned_between(stream, ARGV[1], ARGV[2], id, id)[id] then
  return 0
end
redis.call('XCLAIM', stream, ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', ARGV[4], 'JUSTID')
return 1
