-- Counts a slice of the dead letters by one of their properties, oldest first. Writes nothing.
--
-- KEYS dlq
-- ARGV 1 from  2 to   as XRANGE takes them
--      3 by        'reason', 'name', or the length of a span of time in ms
--      4 entries  about how many to look at  5 bytes  about how many bytes to read
--      then the dead letters that are asked for: see lib/letter-filter.lua
-- Reply { next, looked at, { value, count }… }: next is where to go on, '' at the end. With a span, the value is the unix ms at
--      which the span begins in which they became dead letters.

-- @include lib/letter-filter
-- @include lib/time

local by, span = ARGV[3], tonumber(ARGV[3])
local range = { from = ARGV[1], to = ARGV[2], entries = tonumber(ARGV[4]), bytes = tonumber(ARGV[5]) }
local is_asked_for = read_letter_filter(6)
local field = by == 'name' and 'n' or by
local looked_at, counts = 0, {}
local next_id = each_page(KEYS[1], range, function(entries)
  looked_at = looked_at + #entries
  for i = 1, #entries do
    local id, fields = entries[i][1], entries[i][2]
    if is_asked_for(fields) then
      local value
      if span then
        local ms = tonumber(string.match(id, '^%d+'))
        value = decimal(ms - ms % span)
      else
        value = field_of(fields, field) or ''
      end
      counts[value] = (counts[value] or 0) + 1
    end
  end
end)
local reply = { next_id, looked_at }
for value, count in pairs(counts) do
  reply[#reply + 1] = { value, count }
end
return reply
