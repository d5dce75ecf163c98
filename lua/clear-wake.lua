-- Removes entries that a worker has read from its own wake stream. Or writes an entry to it, which ends the worker's
-- blocking read.
--
-- KEYS stream wake prefix
-- ARGV 1 group
--      2 end_read  '1' = write an entry that ends the read
--      per wake entry: its id; the entry of a cancelled job that the worker does not have in flight, else ''
-- Reply 1
--
-- Races
--   The cancelled job has ended meanwhile: its mark is deleted. But if the reply that carried the job was lost, the job is
--     pending for the worker all the same. Then its entry still exists, and the mark stays for the worker that finds it.
--   Sent twice: the entries are gone, and a second entry that ends the read is harmless.
--   Memory full: see lib/full-memory.lua.

-- @include lib/full-memory

local stream, wake, prefix = KEYS[1], KEYS[2], KEYS[3]
for i = 3, #ARGV, 2 do
  redis.call('XACK', wake, ARGV[1], ARGV[i])
  redis.call('XDEL', wake, ARGV[i])
  local entry = ARGV[i + 1]
  if entry ~= '' and #redis.call('XRANGE', stream, entry, entry) == 0 then
    redis.call('DEL', prefix .. 'cancelled:' .. entry)
  end
end
if ARGV[2] == '1' then
  allow_writes_at_memory_limit(prefix)
  redis.call('XADD', wake, '*', 'room', '1')
end
return 1
