-- Takes over entries whose lease has run out: their worker died, or was cut off for longer than its lease.
--
-- KEYS stream prefix
-- ARGV 1 group  2 consumer
--      3 lease_ms   of consumers whose name does not tell theirs: see lease.lua
--      4 steady_ms  for how long the caller knows that all workers could renew their leases: no outage, and no step of
--                   Redis's clock. A lease that is longer may look expired though its holder lives
--      5 latest     unix ms; where Redis's clock shows more, the call is late, or the clock was set forward: nothing is
--                   taken over then
--      6 count      at most so many  7 suspects  and so many that must run alone: they have lost more than one
--                   worker, or another could not start them
--      8 max_bytes  after so many bytes of entries, no further one
-- Reply { now, { { id, starts, { field, value… }, cancelled }… }, { vanished… } }: now in unix ms; so many
--      workers have died with a job (count-start.lua counts from the second on); cancelled is 1 where it must not run again
--      (cancel.lua), else 0. A vanished id was pending, but its entry is gone.
--
-- Races: two workers may scan at once; the first resets the idle time, so the second does not see what it took. Entries
-- of the caller's own are left to renew.lua, which knows what of them is in flight.

-- @include lib/events
-- @include lib/lease

local stream, prefix, group, me = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local lease_ms, steady_ms, count = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local suspects, bytes = tonumber(ARGV[7]), tonumber(ARGV[8])
local now = now_ms()
if now > tonumber(ARGV[5]) then
  return { decimal(now), {}, {} }
end

local entries, vanished = {}, {}

local function take(id, starts, is_suspect)
  local entry = redis.call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', starts)[1]
  if not entry then
    -- Redis 6.2 keeps a vanished entry in the pending list.
    redis.call('XACK', stream, group, id)
    vanished[#vanished + 1] = id
    return
  end
  if is_suspect then
    suspects = suspects - 1
  end
  entries[#entries + 1] = { id, starts, entry[2], redis.call('EXISTS', prefix .. 'cancelled:' .. id) }
  for _, part in ipairs(entry[2]) do
    bytes = bytes - #part
  end
end

local function take_of(consumer, lease)
  for _, pending in ipairs(redis.call('XPENDING', stream, group, 'IDLE', decimal(lease), '-', '+', 1000, consumer)) do
    if #entries >= count or bytes <= 0 then
      return
    end
    -- What was handed over could not start where it was, most likely because it must run alone. The delivery counter
    -- counts starts, and a claim is none.
    local is_suspect = pending[4] > 1 or consumer == NOBODY
    if not is_suspect or suspects > 0 then
      take(pending[1], pending[4], is_suspect)
    end
  end
end

for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local of = {}
  for i = 1, #consumer, 2 do
    of[consumer[i]] = consumer[i + 1]
  end
  local lease = lease_of(of.name, lease_ms)
  if of.pending > 0 and of.name ~= me and lease <= steady_ms then
    take_of(of.name, lease)
  end
end
return { decimal(now), entries, vanished }
