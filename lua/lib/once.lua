-- "Has this call been carried out already?" A command whose reply was lost is sent again by the client, and an add is
-- not idempotent by itself. Each producer numbers its calls, and the server keeps the numbers of the last 1,024 that it
-- carried out, four bytes each, at the places that their numbers give them. A producer never has more than a quarter of
-- them in flight, and counts those as such that nobody waits for any more. A call that arrives late all the same finds
-- the number of a later call at its place.
--
-- `touch` is true about once a minute, and at first: then the key, which expires, gets its ten minutes anew. A call is
-- sent for eight minutes at most, so the key outlives every call that it knows.

-- What stood at the place of this call.
local number_before = 0

-- True where the call is to be carried out; false where it was. An error reply as the second value where a later call
-- has taken its place: then nobody can tell, and nobody waits for the answer.
local function first_time(key, sequence, touch)
  local number = sequence % 4294967295 + 1
  local place = '#' .. sequence % 1024
  number_before = redis.call('BITFIELD', key, 'SET', 'u32', place, number)[1]
  if number_before == number then
    return false
  end
  -- Numbers start again after 2^32: the shorter way round tells which of two is later.
  if number_before ~= 0 and (number - number_before) % 4294967295 > 2147483647 then
    redis.call('BITFIELD', key, 'SET', 'u32', place, number_before)
    return false, redis.error_reply('ERR A call came after 1024 later ones, and was not carried out.')
  end
  if touch then
    redis.call('PEXPIRE', key, 600000)
  end
  return true
end

-- The call was not carried out after all.
local function not_yet(key, sequence)
  redis.call('BITFIELD', key, 'SET', 'u32', '#' .. sequence % 1024, number_before)
end
