-- Reads streams page by page. An entry may be a megabyte, and its size is known only after it was read. So pages are small,
-- and pages of large entries are smaller.
local function bytes_of(fields)
  local bytes = 0
  for i = 1, #fields do
    bytes = bytes + #fields[i]
  end
  return bytes
end

-- The value of one field of an entry; nil if the entry does not have it.
local function field_of(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then
      return fields[i + 1]
    end
  end
end

-- Calls visit(entry) for the entries from `at` to `to`, oldest first, until about `most` entries or `most_bytes` bytes were
-- read. Returns where to go on; '' at the end.
local function each_entry(stream, at, to, most, most_bytes, visit)
  local bytes, page = 0, 8
  while most > 0 and bytes < most_bytes do
    page = math.min(page, most)
    local before = bytes
    local entries = redis.call('XRANGE', stream, at, to, 'COUNT', page)
    for i = 1, #entries do
      bytes = bytes + bytes_of(entries[i][2])
      visit(entries[i])
    end
    if #entries < page then
      return ''
    end
    at = '(' .. entries[page][1]
    most = most - page
    page = math.max(1, math.min(20, math.floor(262144 * page / (bytes - before + 1))))
  end
  return at
end
