-- Lists the workers of a queue: the consumers of all its groups, each with its report. Writes nothing.
--
-- KEYS stream prefix
-- ARGV 1 limit  the most consumers that are looked at
-- Reply { now, { { group, consumer, idle, pending, { field, value… } }… } }: now in unix ms, as text; idle in ms; the fields are
--      those of the report (report-worker.lua), none if the consumer has not reported lately.
--
-- A consumer that has not reported is listed if Redis has heard from it within its lease: it is a third-party worker, or one
-- of ours that has no report. A longer silence means that it is dead.

-- @include lib/time
-- @include lib/lease

local stream, prefix, left = KEYS[1], KEYS[2], tonumber(ARGV[1])
-- Of consumers whose name does not say theirs.
local LEASE_MS = 30000

local rows = {}
for _, group in ipairs(groups_of(stream)) do
  for _, of in ipairs(consumers_of(stream, group.name)) do
    if left == 0 then
      break
    end
    left = left - 1
    local key = prefix .. 'worker:' .. of.name
    local report = redis.pcall('HGETALL', key)
    if report.err then
      report = {}
    end
    if #report > 0 or of.idle < lease_of(of.name, LEASE_MS) then
      rows[#rows + 1] = { group.name, of.name, of.idle, of.pending, report }
    end
  end
end
return { decimal(now_ms()), rows }
