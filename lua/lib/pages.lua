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

-- The slice of a stream that ARGV asks for: 1 from  2 to  3 'newest' first, else the oldest first  5 skip  6 take  7 entries
-- 8 bytes. See read_slice.
local function slice_asked_for()
  return {
    from = ARGV[1],
    to = ARGV[2],
    newest_first = ARGV[3] == 'newest',
    skip = tonumber(ARGV[5]),
    take = tonumber(ARGV[6]),
    entries = tonumber(ARGV[7]),
    bytes = tonumber(ARGV[8]),
  }
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

-- Reads a slice. Of the entries that are asked for, the first `skip` are passed over, and at most `take` become rows.
-- begin_page(entries) returns what the two other functions need to know of the page: is_asked_for(entry, page) and
-- row_of(entry, page). Returns { where to go on, '' at the end; how many were passed over; row… }.
local function read_slice(stream, slice, begin_page, is_asked_for, row_of)
  local reply, skipped = { '', 0 }, 0
  reply[1] = each_page(stream, slice, function(entries)
    local page = begin_page and begin_page(entries)
    for i = 1, #entries do
      local entry = entries[i]
      if is_asked_for(entry, page) then
        if skipped < slice.skip then
          skipped = skipped + 1
        else
          reply[#reply + 1] = row_of(entry, page)
        end
        if #reply - 2 == slice.take then
          return i
        end
      end
    end
  end)
  reply[2] = skipped
  return reply
end
