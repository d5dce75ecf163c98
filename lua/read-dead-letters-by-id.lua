-- Reads dead letters by their ids. Writes nothing.
--
-- KEYS dlq
-- ARGV 1 whole  2 reason   as in read-dead-letters.lua; then ids of dead letters
-- Reply { covered, { id, { field, value… } } or id … }: covered is how many of the ids, from the first on, were looked up. Then
--      the dead letters among them that exist and have the reason.

-- @include lib/pages

local reply, bytes = { 0 }, 0
for i = 3, #ARGV do
  local dead_letter = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if dead_letter then
    bytes = bytes + bytes_of(dead_letter[2])
    if ARGV[2] == '' or field_of(dead_letter[2], 'reason') == ARGV[2] then
      reply[#reply + 1] = ARGV[1] == '1' and dead_letter or dead_letter[1]
    end
  end
  reply[1] = i - 2
  if bytes >= 4194304 then
    break
  end
end
return reply
