-- Looks for jobs in a slice of the work stream, by their ids. Writes nothing.
--
-- KEYS stream
-- ARGV 1 from  2 to   entry ids, as XRANGE takes them   3 entries  about how many to look at
--      then the job ids
-- Reply { next, { job id, entry id }… }: next is where to go on, '' where this was the last slice.

-- @include lib/envelope

local stream, at, to = KEYS[1], ARGV[1], ARGV[2]
-- Few at a time, and not only so many entries: each of them may be a megabyte.
local PAGE, MOST_BYTES = 20, 1048576
local left, bytes = tonumber(ARGV[3]), 0
local wanted = {}
for i = 4, #ARGV do
  wanted[ARGV[i]] = true
end

local reply = { '' }
repeat
  local entries = redis.call('XRANGE', stream, at, to, 'COUNT', PAGE)
  for _, entry in ipairs(entries) do
    local fields = entry[2]
    for i = 1, #fields, 2 do
      bytes = bytes + #fields[i + 1]
      local id = fields[i] == 'd' and job_id_of(fields[i + 1])
      if id and wanted[id] then
        reply[#reply + 1] = { id, entry[1] }
      end
    end
  end
  if #entries < PAGE then
    return reply
  end
  at = '(' .. entries[PAGE][1]
  left = left - PAGE
until left <= 0 or bytes >= MOST_BYTES
reply[1] = at
return reply
