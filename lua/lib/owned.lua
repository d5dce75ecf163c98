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

-- The same fence for a batch at the head of the queue: nothing is pending before or between its entries but themselves,
-- so it can be removed as a range (finish_head). Their ids, in order; nil where that is not so, or where the batch is too
-- small to gain by it.
local function owned_head(stream, group, consumer, first, last, jobs)
  if jobs < 8 then
    return nil
  end
  local smallest = redis.call('XPENDING', stream, group, '-', '+', 1)[1]
  if not smallest or smallest[1] ~= first then
    return nil
  end
  local pending = redis.call('XPENDING', stream, group, first, last, jobs + 1)
  if #pending ~= jobs then
    return nil
  end
  for i = 1, jobs do
    local id, owner = unpack(pending[i], 1, 2)
    if owner ~= consumer then
      return nil
    end
    pending[i] = id
  end
  return pending
end

local function set_of(ids)
  local set = {}
  for i = 1, #ids do
    set[ids[i]] = true
  end
  return set
end

-- Removes what owned_head has found, all of it done, at a tenth of what XDEL costs for as many. What is not delivered yet
-- lies behind `last`; before `first` there may be what a group that was created later than its stream never gets: then,
-- as ever, entry by entry.
local function finish_head(stream, group, ids, first, last)
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if not oldest or oldest[1] ~= first then
    return finish(stream, group, ids)
  end
  for from = 1, #ids, 1000 do
    redis.call('XACK', stream, group, unpack(ids, from, math.min(from + 999, #ids)))
  end
  redis.call('XTRIM', stream, 'MINID', '=', last)
  redis.call('XDEL', stream, last)
end
