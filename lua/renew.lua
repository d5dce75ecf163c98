-- The heartbeat: renews the leases on what this worker holds, and finds what was delivered to it and never arrived.
--
-- KEYS stream prefix
-- ARGV 1 group  2 consumer  3 stranded_ms  4 limit   at most so many stranded entries are returned
--      5 max_bytes  and after so many bytes of them, no further one
--      then the ids of the entries held
-- Reply { { lost… }, { { id, starts, { field, value… }, cancelled }… }, more }: ids held no longer pending for this
--      consumer, and entries pending for it for at least stranded_ms that it does not hold (the reply that carried them
--      was lost); more is 1 where there are others of them. Those are not charged an attempt: the worker knows that it
--      never ran them. `cancelled` as in reclaim.lua.
--
-- Races: XCLAIM would take an entry back from its new owner, so only what is pending for this consumer is renewed.

-- @include lib/pages

local stream, prefix, group, consumer = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local stranded_ms, limit, bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local held = {}
for i = 6, #ARGV do
  held[ARGV[i]] = true
end

local renew, stranded, more = {}, {}, 0
local pending = redis.call('XPENDING', stream, group, '-', '+', 1000000, consumer)
for i = 1, #pending do
  local id = pending[i][1]
  if held[id] then
    renew[#renew + 1] = id
    held[id] = nil
  elseif pending[i][3] >= stranded_ms and (#stranded == limit or bytes <= 0) then
    more = 1
  elseif pending[i][3] >= stranded_ms then
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then
      bytes = bytes - bytes_of(entry[2])
      renew[#renew + 1] = id
      stranded[#stranded + 1] = { id, pending[i][4], entry[2], redis.call('EXISTS', prefix .. 'cancelled:' .. id) }
    end
  end
end
for from = 1, #renew, 1000 do
  local command = { 'XCLAIM', stream, group, consumer, 0 }
  for i = from, math.min(from + 999, #renew) do
    command[#command + 1] = renew[i]
  end
  -- JUSTID: the delivery counter, which counts crashes, stays as it is.
  command[#command + 1] = 'JUSTID'
  redis.call(unpack(command))
end
local lost = {}
for id in pairs(held) do
  lost[#lost + 1] = id
end
return { lost, stranded, more }
