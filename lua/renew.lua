-- The heartbeat: renews the leases of the worker's in-flight jobs, and finds entries whose delivery never reached the worker.
--
-- KEYS stream prefix
-- ARGV 1 group  2 consumer
--      3 stranded_ms  an entry that is pending for the worker but not in flight counts as stranded after so many ms
--      4 limit        the most stranded entries of one reply
--      5 max_bytes    the reply ends after so many bytes of them
--      then the ids of the entries in flight
-- Reply { { lost… }, { { id, starts, { field, value… }, cancelled }… }, more, before }: lost are ids in flight that are no longer
--      pending for this consumer; then the stranded entries (starts, cancelled: see reclaim.lua); more is 1 if there are
--      further ones. before: unix ms; what was delivered by then, and is not in flight, is stranded, here or in an earlier reply. The worker knows that it never ran them, so they are not charged an attempt.
--
-- Races
--   On its way here: what is pending for the worker and not in flight is renewed, too. So all leases of the worker last from this call
--     on, unless one had ended before it.
--   Lease lost: XCLAIM would take an entry back from its new owner, so only entries that are pending for this consumer are
--     renewed.
--   Reply of a read lost: its entries are stranded, and come back here.
--   Sent twice: renewing twice is harmless; stranded entries are renewed, so the second call does not return them.

-- @include lib/time
-- @include lib/pages
-- @include lib/ask-group

local stream, prefix, group, consumer = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local stranded_ms, limit, bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
-- Read before the pending list: what was delivered by `before` is idle for long enough there.
local before = now_ms() - stranded_ms
local in_flight = {}
for i = 6, #ARGV do
  in_flight[ARGV[i]] = true
end

local renew, stranded, more = {}, {}, 0
local pending = ask_group('XPENDING', stream, group, '-', '+', 1000000, consumer)
for i = 1, #pending do
  local id, idle_ms, starts = pending[i][1], pending[i][3], pending[i][4]
  if in_flight[id] then
    renew[#renew + 1] = id
    in_flight[id] = nil
  elseif idle_ms >= stranded_ms and (#stranded == limit or bytes <= 0) then
    more = 1
  elseif idle_ms >= stranded_ms then
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then
      bytes = bytes - bytes_of(entry[2])
      renew[#renew + 1] = id
      stranded[#stranded + 1] = { id, starts, entry[2], redis.call('EXISTS', prefix .. 'cancelled:' .. id) }
    end
  else
    renew[#renew + 1] = id
  end
end
-- In slices: `unpack` fails near 8,000 values.
for from = 1, #renew, 1000 do
  local command = { 'XCLAIM', stream, group, consumer, 0 }
  for i = from, math.min(from + 999, #renew) do
    command[#command + 1] = renew[i]
  end
  -- JUSTID: the delivery counter, which counts starts, stays as it is.
  command[#command + 1] = 'JUSTID'
  redis.call(unpack(command))
end
local lost = {}
for id in pairs(in_flight) do
  lost[#lost + 1] = id
end
return { lost, stranded, more, decimal(before) }
