-- "Has this call been carried out already?" A command whose reply was lost is sent again by the client, and an add is
-- not idempotent by itself. Each producer numbers its calls, and the server keeps the numbers of the last 1,024 that it
-- carried out, four bytes each, at the places that their numbers give them. A producer never has more than a quarter of
-- them in flight. What a place still holds of an earlier call, also where the one between was refused or never came, is
-- another number.
--
-- `touch` is true about once a minute, and at first: then the key, which expires, gets its ten minutes anew.
local function first_time(key, sequence, touch)
  local number = sequence % 4294967295 + 1
  if redis.call('BITFIELD', key, 'SET', 'u32', '#' .. sequence % 1024, number)[1] == number then
    return false
  end
  if touch then
    redis.call('PEXPIRE', key, 600000)
  end
  return true
end

-- The call was not carried out after all.
local function not_yet(key, sequence)
  redis.call('BITFIELD', key, 'SET', 'u32', '#' .. sequence % 1024, 0)
end
