-- Which of two entry ids comes first.
local function is_before(a, b)
  local a_ms, a_sequence = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_sequence = string.match(b, '^(%d+)-(%d+)$')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms < b_ms or (a_ms == b_ms and tonumber(a_sequence) < tonumber(b_sequence))
end

-- The groups of a stream: name and the id up to which each has been delivered.
local function groups_of(stream)
  local groups = {}
  if redis.call('EXISTS', stream) == 0 then
    return groups
  end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local of = {}
    for i = 1, #group, 2 do
      of[group[i]] = group[i + 1]
    end
    groups[#groups + 1] = { name = of.name, delivered = of['last-delivered-id'] }
  end
  return groups
end
