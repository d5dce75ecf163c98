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

-- Calls visit(entries) for each page of a range, until about `entries` entries or `bytes` bytes were read. If visit returns
-- an index, the walk ends behind that entry. Returns where to go on; '' at the end of the range.
-- `range`: from and to, as XRANGE takes them; or as XREVRANGE takes them, if newest_first; entries; bytes.
local function each_page(stream, range, visit)
  local command = range.newest_first and 'XREVRANGE' or 'XRANGE'
  local at, left, bytes, page = range.from, range.entries, 0, 1
  while left > 0 and bytes < range.bytes do
    page = math.min(page, left)
    local before = bytes
    local entries = redis.call(command, stream, at, range.to, 'COUNT', page)
    for i = 1, #entries do
      bytes = bytes + bytes_of(entries[i][2])
    end
    local stop = #entries > 0 and visit(entries)
    if stop then
      at = '(' .. entries[stop][1]
      return #redis.call(command, stream, at, range.to, 'COUNT', 1) > 0 and at or ''
    elseif #entries < page then
      return ''
    end
    at = '(' .. entries[page][1]
    left = left - page
    page = math.max(1, math.min(40, math.floor(262144 * page / (bytes - before + 1))))
  end
  return at
end
