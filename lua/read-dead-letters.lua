-- Reads a slice of the dead letters. Writes nothing.
--
-- KEYS dlq
-- ARGV 1 from  2 to   as XRANGE takes them; as XREVRANGE takes them for the newest first
--      3 order   'oldest' or 'newest' first
--      4 whole   '1' = reply with the fields of each dead letter; '' = only with its id
--      5 skip    so many dead letters are passed over  6 take  the most dead letters of the reply
--      7 entries  about how many to look at  8 bytes  about how many bytes to read
--      then the dead letters that are asked for: see lib/letter-filter.lua
-- Reply { next, skipped, { id, { field, value… } } or id … }: next is where to go on, '' at the end

-- @include lib/letter-filter

local range = {
  from = ARGV[1],
  to = ARGV[2],
  newest_first = ARGV[3] == 'newest',
  entries = tonumber(ARGV[7]),
  bytes = tonumber(ARGV[8]),
}
local skip, take = tonumber(ARGV[5]), tonumber(ARGV[6])
local is_asked_for = read_letter_filter(9)

local reply, skipped = { '', 0 }, 0
reply[1] = each_page(KEYS[1], range, function(entries)
  for i = 1, #entries do
    if is_asked_for(entries[i][2]) then
      if skipped < skip then
        skipped = skipped + 1
      else
        reply[#reply + 1] = ARGV[4] == '1' and entries[i] or entries[i][1]
      end
      if #reply - 2 == take then
        return i
      end
    end
  end
end)
reply[2] = skipped
return reply
