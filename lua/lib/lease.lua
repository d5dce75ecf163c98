-- @include lib/stream-info
-- @include lib/ask-group

-- The lease of a consumer, in ms. A worker's consumer name ends in its lease, so that all workers respect it, whatever their
-- own lease is. A consumer whose name does not say (a third-party worker, or an older version) has `lease_ms`.
local function lease_of(consumer, lease_ms)
  return tonumber(string.match(consumer, ';lease=(%d+)$')) or lease_ms
end

-- The consumer of jobs that were handed over (hand-over.lua). No worker has this name, and its lease is always over.
local NOBODY = 'released;lease=0'
-- The consumer of jobs of dead workers that a rate limit keeps from their start: see reclaim.lua. The same holds for it.
local EXPIRED = 'expired;lease=0'

local function consumers_of(stream, group)
  return tables_of(ask_group('XINFO', 'CONSUMERS', stream, group))
end

-- Whether another worker of the group has read within the last `idle_ms`.
local function has_other_worker(consumers, me, idle_ms)
  for i = 1, #consumers do
    local of = consumers[i]
    if of.name ~= me and of.name ~= NOBODY and of.name ~= EXPIRED and of.idle < idle_ms then
      return true
    end
  end
  return false
end
