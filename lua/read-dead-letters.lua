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

local is_asked_for, is_whole = read_letter_filter(9), ARGV[4] == '1'
return read_slice(KEYS[1], slice_asked_for(), nil, function(letter)
  return is_asked_for(letter[2])
end, function(letter)
  return is_whole and letter or letter[1]
end)
