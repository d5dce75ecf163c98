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

-- Ends the lease of entries; how many were pending. In slices, because unpack fails near 8,000 values.
local function acknowledge(stream, group, ids)
  local ended = 0
  for from = 1, #ids, 1000 do
    ended = ended + redis.call('XACK', stream, group, unpack(ids, from, math.min(from + 999, #ids)))
  end
  return ended
end

-- Removes entries whose lease has ended, all of them between `first` and `last`. Where nothing else is left up to there,
-- as one range, at a tenth of what XDEL costs for as many: what is not delivered yet lies behind `last`. Before `first`
-- there may be what a group that was created later than its stream never gets.
local function remove(stream, group, ids, first, last)
  if #ids >= 8 and #redis.call('XPENDING', stream, group, '-', last, 1) == 0 then
    local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    if oldest and oldest[1] == first then
      redis.call('XTRIM', stream, 'MINID', '=', last)
      redis.call('XDEL', stream, last)
      return
    end
  end
  for from = 1, #ids, 1000 do
    redis.call('XDEL', stream, unpack(ids, from, math.min(from + 999, #ids)))
  end
end

local function finish(stream, group, ids, first, last)
  acknowledge(stream, group, ids)
  remove(stream, group, ids, first, last)
end

-- Whether nobody else holds anything between two entries: then whatever is pending there is this worker's, and nobody
-- needs to list it, which costs more than all else that is done to complete a job. A read brings entries in a row, so it
-- is the rule. Asked of as many others as are fewer than the jobs by far.
local function holds_range(stream, group, consumer, first, last, jobs)
  local holders = redis.call('XPENDING', stream, group)[4]
  if not holders or #holders > jobs / 8 then
    return false
  end
  for i = 1, #holders do
    local holder = holders[i][1]
    if holder ~= consumer and #redis.call('XPENDING', stream, group, first, last, 1, holder) > 0 then
      return false
    end
  end
  return true
end
