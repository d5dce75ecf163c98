-- The fence: which of a batch's entries are pending for this consumer right now. XACK by anyone would succeed after
-- the entry was reassigned, so every script that ends a lease asks here first. One range query serves the batch:
-- `first` and `last` bound its ids, and what else lies between them is at most what this worker holds.
local function owned_between(stream, group, consumer, first, last)
  local own = {}
  local pending = redis.call('XPENDING', stream, group, first, last, 1000000, consumer)
  for i = 1, #pending do
    own[pending[i][1]] = true
  end
  return own
end

-- Ends the lease and removes the entries, in slices, because unpack fails near 8,000 values.
local function finish(stream, group, ids)
  for from = 1, #ids, 1000 do
    local to = math.min(from + 999, #ids)
    redis.call('XACK', stream, group, unpack(ids, from, to))
    redis.call('XDEL', stream, unpack(ids, from, to))
  end
end
