-- "Has this call been carried out already?" A command whose reply was lost is sent again by the client, and an add is
-- not idempotent by itself. Each producer numbers its calls, and the server keeps the numbers of the last 1,024 that it
-- carried out, four bytes each, at the places that their numbers give them. A producer never has more than a quarter of
-- them in flight. What a place still holds of an earlier call, also where the one between was refused or never came, is
-- another number.
--
-- `touch` is true about once a minute, and at first: then the key, which expires, gets its ten minutes anew.
local function place_of(sequence)
  return sequence % 1024 * 4
end

local function first_time(key, sequence, touch)
  local place, number = place_of(sequence), struct.pack('>I4', sequence % 4294967295 + 1)
  if redis.call('GETRANGE', key, place, place + 3) == number then
    return false
  end
  redis.call('SETRANGE', key, place, number)
  if touch then
    redis.call('PEXPIRE', key, 600000)
  end
  return true
end

-- The call was not carried out after all.
local function not_yet(key, sequence)
  redis.call('SETRANGE', key, place_of(sequence), '\0\0\0\0')
end
