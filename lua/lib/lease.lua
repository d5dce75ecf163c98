-- The name of a worker's consumer ends in its lease, so that everybody respects the lease with which a job was taken,
-- whatever their own is. A consumer that does not say (of another kind, or an older version) has the lease of who asks.
local function lease_of(consumer, lease_ms)
  return tonumber(string.match(consumer, ';lease=(%d+)$')) or lease_ms
end

-- Whom jobs belong to that were taken over and handed over (hand-over.lua): nobody, so their lease has run out.
local NOBODY = 'released;lease=0'
