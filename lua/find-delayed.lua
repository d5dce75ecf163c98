-- Looks for jobs in a slice of the delayed set, by their ids. Writes nothing.
--
-- KEYS delayed
-- ARGV 1 cursor  '0' = begin  2 members  about how many to look at  then the job ids
-- Reply { cursor, { job id, member }… }: cursor is '0' at the end

-- @include lib/envelope

local cursor, left, bytes = ARGV[1], tonumber(ARGV[2]), 0
local wanted = {}
for i = 3, #ARGV do
  wanted[ARGV[i]] = true
end

local function id_of(member)
  local length = struct.unpack('<I4', member)
  -- The start of the Job is enough: an id has 512 bytes at most.
  return job_id_of(string.sub(member, 5 + length, 600 + length))
end

local reply = { '' }
local count = 8
repeat
  local page = redis.call('ZSCAN', KEYS[1], cursor, 'COUNT', count)
  cursor = page[1]
  local members, before = page[2], bytes
  for i = 1, #members, 2 do
    local member = members[i]
    bytes = bytes + #member
    -- Other bytes than a delayed member have no id.
    local is_job, id = pcall(id_of, member)
    if is_job and id and wanted[id] then
      reply[#reply + 1] = { id, member }
    end
  end
  left = left - math.max(count, #members / 2)
  count = math.max(1, math.min(20, math.floor(262144 * #members / 2 / (bytes - before + 1))))
until cursor == '0' or left <= 0 or bytes >= 4194304
reply[1] = cursor
return reply
