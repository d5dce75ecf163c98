-- Looks for jobs in a slice of the work stream, by their ids. Writes nothing.
--
-- KEYS stream
-- ARGV 1 from  2 to   entry ids, as XRANGE takes them  3 entries  about how many to look at  then the job ids
-- Reply { next, { job id, entry id }… }: next is where to go on, '' at the end

-- @include lib/envelope
-- @include lib/pages

local wanted = {}
for i = 4, #ARGV do
  wanted[ARGV[i]] = true
end
local reply = { '' }
reply[1] = each_entry(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), 4194304, function(entry)
  local d = field_of(entry[2], 'd')
  local id = d and job_id_of(d)
  if id and wanted[id] then
    reply[#reply + 1] = { id, entry[1] }
  end
end)
return reply
