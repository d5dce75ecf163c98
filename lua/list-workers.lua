-- Lists the workers of a queue: the consumers of all its groups, each with its report. Writes nothing.
--
-- KEYS stream prefix
-- ARGV 1 limit  the most consumers that are looked at
-- Reply { now, { { group, consumer, idle, pending, { field, value… } }… } }: now in unix ms, as text; idle in ms; the fields are
--      those of the report (report-worker.lua), none if the consumer has not reported lately.

-- @include lib/time
-- @include lib/live-consumers

local stream, prefix = KEYS[1], KEYS[2]

local rows = {}
each_live_consumer(stream, prefix, tonumber(ARGV[1]), function(group, of, report)
  rows[#rows + 1] = { group.name, of.name, of.idle, of.pending, report }
end)
return { decimal(now_ms()), rows }
