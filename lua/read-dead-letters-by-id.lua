-- Reads dead letters by their ids. Writes nothing.
--
-- KEYS dlq
-- ARGV 1 whole  '1' = reply with the fields of each dead letter; '' = only with its id
--      2 ids    how many ids of dead letters follow; then these
--      then the dead letters that are asked for: see lib/letter-filter.lua
-- Reply { covered, { id, { field, value… } } or id … }: covered is how many of the ids, from the first on, were looked up. Then
--      the dead letters among them that exist and are asked for.

-- @include lib/letter-filter

local is_asked_for = read_letter_filter(3 + ARGV[2])
local reply, bytes = { 0 }, 0
for i = 3, 2 + ARGV[2] do
  local dead_letter = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if dead_letter then
    bytes = bytes + bytes_of(dead_letter[2])
    if is_asked_for(dead_letter[2]) then
      reply[#reply + 1] = ARGV[1] == '1' and dead_letter or dead_letter[1]
    end
  end
  reply[1] = i - 2
  if bytes >= 1048576 then
    break
  end
end
return reply
