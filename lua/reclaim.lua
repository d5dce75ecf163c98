-- Takes over entries whose lease has run out: their worker died, or was cut off for longer than a lease.
--
-- KEYS stream prefix
-- ARGV 1 group  2 consumer  3 lease_ms  4 cursor  5 count
--      then the ids of the entries held here
-- Reply { cursor, { { id, starts, { field, value… }, cancelled }… }, { vanished… } }: so many workers have died with the
--      job (start.lua counts from the second on); cancelled is 1 where it must not run again (cancel.lua), else 0. A
--      vanished id was pending, but its entry is gone.
--
-- Races: two workers may scan at once; XAUTOCLAIM resets the idle time, so the second does not see what the first took.
-- It claims entries of one's own too, which is right (a reply that never arrived) except for what is held here.
local stream, prefix, group, consumer = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local held = {}
for i = 6, #ARGV do
  held[ARGV[i]] = true
end

-- JUSTID here, RETRYCOUNT below: the delivery counter counts starts, and a claim is none.
local scan = redis.call('XAUTOCLAIM', stream, group, consumer, ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
local entries, vanished = {}, scan[3] or {}
for _, id in ipairs(scan[2]) do
  if id and not held[id] then
    local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
    if pending then
      local starts = pending[4]
      local entry = redis.call('XCLAIM', stream, group, consumer, 0, id, 'RETRYCOUNT', starts)[1]
      if entry then
        entries[#entries + 1] = { id, starts, entry[2], redis.call('EXISTS', prefix .. 'cancelled:' .. id) }
      else
        -- Redis 6.2 keeps a vanished entry in the pending list.
        redis.call('XACK', stream, group, id)
        vanished[#vanished + 1] = id
      end
    end
  end
end
return { scan[1], entries, vanished }
