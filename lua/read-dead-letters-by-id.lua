-- Reads some dead letters. Writes nothing.
--
-- KEYS dlq
-- ARGV 1 whole  2 reason   as in read-dead-letters.lua; then ids of letters
-- Reply { looked, { id, { field, value… } } or id … }: so many of the ids were looked up, the first ones; those of the
--      others that are there and selected follow.

-- @include lib/pages

local reply, bytes = { 0 }, 0
for i = 3, #ARGV do
  local letter = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if letter then
    bytes = bytes + bytes_of(letter[2])
    if ARGV[2] == '' or field_of(letter[2], 'reason') == ARGV[2] then
      reply[#reply + 1] = ARGV[1] == '1' and letter or letter[1]
    end
  end
  reply[1] = i - 2
  if bytes >= 4194304 then
    break
  end
end
return reply
