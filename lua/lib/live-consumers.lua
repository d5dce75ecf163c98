-- @include lib/lease

-- Calls `visit` for each consumer of all groups that is not dead: with the group, the consumer, and its report
-- (report-worker.lua), which is empty if it has not reported lately. Looks at `most` consumers.
--
-- A consumer that has not reported is alive if Redis has heard from it within its lease: it is a third-party worker, or one
-- of ours that has no report. A longer silence means that it is dead.
local function each_live_consumer(stream, prefix, most, visit)
  -- Of consumers whose name does not say theirs.
  local LEASE_MS = 30000
  for _, group in ipairs(groups_of(stream)) do
    for _, of in ipairs(consumers_of(stream, group.name)) do
      if most == 0 then
        return
      end
      most = most - 1
      local report = redis.pcall('HGETALL', prefix .. 'worker:' .. of.name)
      if report.err then
        report = {}
      end
      if #report > 0 or of.idle < lease_of(of.name, LEASE_MS) then
        visit(group, of, report)
      end
    end
  end
end
