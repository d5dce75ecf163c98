-- Which of two entry ids comes first.
local function is_before(a, b)
  local a_ms, a_sequence = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_sequence = string.match(b, '^(%d+)-(%d+)$')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms < b_ms or (a_ms == b_ms and tonumber(a_sequence) < tonumber(b_sequence))
end

-- A flat list of field and value, in turns, as a table.
local function table_of(flat)
  local values = {}
  for i = 1, #flat, 2 do
    values[flat[i]] = flat[i + 1]
  end
  return values
end

-- The rows of XINFO GROUPS or XINFO CONSUMERS as tables. An error of `pcall` has no rows.
local function tables_of(rows)
  local tables = {}
  for i = 1, #rows do
    tables[i] = table_of(rows[i])
  end
  return tables
end

-- The groups of a stream; none if there is no stream.
local function groups_of(stream)
  if redis.call('EXISTS', stream) == 0 then
    return {}
  end
  return tables_of(redis.call('XINFO', 'GROUPS', stream))
end

-- Names of the consumers of all groups, at most so many.
local function consumer_names(stream, most)
  local names = {}
  for _, group in ipairs(groups_of(stream)) do
    for _, of in ipairs(tables_of(redis.call('XINFO', 'CONSUMERS', stream, group.name))) do
      if #names == most then
        return names
      end
      names[#names + 1] = of.name
    end
  end
  return names
end
