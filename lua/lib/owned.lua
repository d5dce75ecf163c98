-- The fence: which of a batch's entries are pending for this consumer right now. XACK by anyone would succeed after
-- the entry was reassigned, so every script that ends a lease asks here first. One range query serves the batch:
-- `first` and `last` bound its ids, and what else lies between them is at most what this worker has in flight.
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

-- Whether a batch is all that the stream has between its first and its last entry. Entries that one read brought in a
-- row have none between them, then or later, so only the places where the row is broken are looked at. `gaps` names
-- these: the entries before and after each, '' = there is none, '-' or nil = unknown.
local function is_row(stream, gaps)
  if not gaps or gaps == '-' then
    return false
  end
  for before, after in string.gmatch(gaps, '(%S+) (%S+)') do
    if #redis.call('XRANGE', stream, '(' .. before, '(' .. after, 'COUNT', 1) > 0 then
      return false
    end
  end
  return true
end

-- Removes entries whose lease has ended. As one range where that is known to take nothing else, at a tenth of what XDEL
-- costs for as many. It is known where each of the batch was pending until now (`all`): then the state of the group is
-- no older than the worker's view of the stream, in which the batch is a row; and where the stream begins with it.
-- Nothing else tells: the group may have been set back or forward, and others may read the stream.
local function remove(stream, ids, all, first, last, gaps)
  if all and #ids >= 8 and is_row(stream, gaps) then
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

-- Ends the lease of entries of which the fence has said that they are ours, and removes them; `jobs` is the whole batch.
local function finish(stream, group, ids, jobs, first, last, gaps)
  remove(stream, ids, acknowledge(stream, group, ids) == jobs, first, last, gaps)
end

-- Whether the fence need not be asked entry by entry, which costs more than all else that is done to complete a job: nobody
-- else holds anything between the two entries, so what XACK counts there is this worker's; and as much is pending for it
-- as it says to have in flight, so that XACK should count all. Asked of as many others as are fewer than the jobs by far.
local function holds_range(stream, group, consumer, first, last, jobs, in_flight)
  local holders = redis.call('XPENDING', stream, group)[4]
  if not holders or #holders > jobs / 8 then
    return false
  end
  local has_all = false
  for i = 1, #holders do
    local holder = holders[i][1]
    if holder == consumer then
      has_all = tonumber(holders[i][2]) >= in_flight
    elseif #redis.call('XPENDING', stream, group, first, last, 1, holder) > 0 then
      return false
    end
  end
  return has_all
end
