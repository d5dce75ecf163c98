-- @include lib/stream-info

-- How many pending entries of each group this looks at when a stream has several groups.
local MANY = 1000

-- How many entries of the stream are in flight. An entry that two groups have counts once, as far as they have no more than
-- MANY; beyond that, the count is that of the group that has most.
local function count_active(stream)
  local groups = groups_of(stream)
  if #groups <= 1 then
    return groups[1] and groups[1].pending or 0
  end
  local most, count, seen = 0, 0, {}
  for _, group in ipairs(groups) do
    most = math.max(most, group.pending)
    for _, pending in ipairs(redis.call('XPENDING', stream, group.name, '-', '+', MANY)) do
      if not seen[pending[1]] then
        seen[pending[1]] = true
        count = count + 1
      end
    end
  end
  return math.max(most, count)
end
