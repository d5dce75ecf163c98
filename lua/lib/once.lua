-- "Has this call been carried out already?" A command whose reply was lost is sent again by the client, and an add is
-- not idempotent by itself. Each producer numbers its calls and the server keeps one bit a call in a ring of 8,192;
-- setting a bit clears the one half a ring ahead, and a producer never has more than a quarter of a ring in flight.
--
-- `touch` is true about once a minute, and at first: then the ring, which expires, gets its ten minutes anew.
local function first_time(key, sequence, touch)
  local slot = sequence % 8192
  if redis.call('SETBIT', key, slot, 1) == 1 then
    return false
  end
  redis.call('SETBIT', key, (slot + 4096) % 8192, 0)
  if touch then
    redis.call('PEXPIRE', key, 600000)
  end
  return true
end
