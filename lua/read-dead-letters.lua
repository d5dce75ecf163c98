-- Reads a slice of the dead letters. Writes nothing.
--
-- KEYS dlq
-- ARGV 1 from  2 to   as XRANGE takes them  3 count  about how many dead letters to look at
--      4 whole   '1' = reply with the fields of each dead letter; '' = only with its id
--      5 reason  '' = any
--      then job ids: only dead letters of these jobs; none = of all jobs
-- Reply { next, { id, { field, value… } } or id … }: next is where to go on, '' at the end

-- @include lib/envelope
-- @include lib/pages

local reason, wanted = ARGV[5], nil
for i = 6, #ARGV do
  wanted = wanted or {}
  wanted[ARGV[i]] = true
end
local function is_selected(fields)
  if reason ~= '' and field_of(fields, 'reason') ~= reason then
    return false
  end
  if not wanted then
    return true
  end
  local d = field_of(fields, 'd')
  local id = d and job_id_of(d)
  return id and wanted[id]
end

local reply = { '' }
reply[1] = each_entry(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), 4194304, function(entry)
  if is_selected(entry[2]) then
    reply[#reply + 1] = ARGV[4] == '1' and entry or entry[1]
  end
end)
return reply
