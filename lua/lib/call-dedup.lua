-- "Was this call carried out already?", for add.lua. The client sends a command again when its reply was lost, and an add
-- is not idempotent by itself. Each producer numbers its calls. Redis keeps the numbers of the last 1,024 calls that it
-- carried out, four bytes each, at the place that the number gives (number modulo 1,024). A producer never has more than a
-- quarter of them in flight, and counts a call as in flight for as long as the client may send it. A call that is even
-- later finds the number of a later call at its place.
--
-- `prolong` is true about once a minute, and for the first call: it gives the key, which expires, another ten minutes. A
-- call is sent for eight minutes at most, so the key outlives every call that it knows.

-- The number that stood at the place of this call.
local number_before = 0

-- True if the call is to be carried out; false if it was carried out before. The second value is an error reply if a later
-- call has taken the place: then Redis cannot know, and no caller waits for the reply.
local function is_first_time(key, sequence, prolong)
  local number = sequence % 4294967295 + 1
  local place = '#' .. sequence % 1024
  number_before = redis.call('BITFIELD', key, 'SET', 'u32', place, number)[1]
  if number_before == number then
    return false
  end
  -- Numbers start again after 2^32: the shorter way round the circle says which of two is later.
  if number_before ~= 0 and (number - number_before) % 4294967295 > 2147483647 then
    redis.call('BITFIELD', key, 'SET', 'u32', place, number_before)
    return false, redis.error_reply('ERR A call came after 1024 later ones, and was not carried out.')
  end
  if prolong then
    redis.call('PEXPIRE', key, 600000)
  end
  return true
end

-- The call was not carried out after all.
local function forget_call(key, sequence)
  redis.call('BITFIELD', key, 'SET', 'u32', '#' .. sequence % 1024, number_before)
end
