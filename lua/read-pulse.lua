-- Reads what gauges show of a queue beside its backlog. Writes nothing.
--
-- KEYS stream completed prefix
-- ARGV 1 limit  the most consumers that are looked at
-- Reply { workers; completed jobs that are kept }
--
-- The workers are those that list-workers.lua lists.

-- @include lib/live-consumers

local stream, completed, prefix = KEYS[1], KEYS[2], KEYS[3]

local workers = 0
each_live_consumer(stream, prefix, tonumber(ARGV[1]), function()
  workers = workers + 1
end)
return { workers, redis.call('ZCARD', completed) }
