-- The fence: a worker may change only entries that are pending for its own consumer. XACK succeeds for any consumer, also
-- after the entry was reassigned, so every script that ends a lease asks here first. One range query serves the batch:
-- `first` and `last` are its smallest and largest entry id. Other entries between them are in flight with the same worker,
-- so there are few.
-- @include lib/ask-group
local function own_between(stream, group, consumer, first, last)
  local own = {}
  local pending = ask_group('XPENDING', stream, group, first, last, 1000000, consumer)
  for i = 1, #pending do
    own[pending[i][1]] = true
  end
  return own
end

-- Ends the lease of entries. Returns how many of them were pending. In slices: `unpack` fails near 8,000 values.
local function acknowledge(stream, group, ids)
  local ended = 0
  for from = 1, #ids, 1000 do
    ended = ended + redis.call('XACK', stream, group, unpack(ids, from, math.min(from + 999, #ids)))
  end
  return ended
end

-- Whether the stream has no entry between the first and the last of a batch that is not the batch's own. Entries that
-- stood next to each other in one read have none between them, then or later. So only the gaps are checked: `gaps` lists the
-- entries before and after each gap; '' = no gaps; '-' = unknown.
local function is_contiguous(stream, gaps)
  if gaps == '-' then
    return false
  end
  for before, after in string.gmatch(gaps, '(%S+) (%S+)') do
    if #redis.call('XRANGE', stream, '(' .. before, '(' .. after, 'COUNT', 1) > 0 then
      return false
    end
  end
  return true
end

-- Removes entries whose lease has ended. As one range, where that removes nothing else: this costs a tenth of XDEL. The
-- range is safe if the stream begins with the batch, the batch is contiguous, and each of its entries was pending until now
-- (`all`): only then is the worker's view of the stream as new as the group's state. Nothing weaker is enough: the group may
-- have been set back or forward, and others may read the stream.
local function remove(stream, ids, all, first, last, gaps)
  if all and #ids >= 8 and is_contiguous(stream, gaps) then
    local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    if oldest and oldest[1] == first then
      redis.call('XTRIM', stream, 'MINID', '=', last)
      redis.call('XDEL', stream, last)
      return
    end
  end
  -- In slices, as above.
  for from = 1, #ids, 1000 do
    redis.call('XDEL', stream, unpack(ids, from, math.min(from + 999, #ids)))
  end
end
