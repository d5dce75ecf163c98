-- Reclaims entries whose lease has run out: their worker died, or was cut off for longer than its lease.
--
-- KEYS stream events prefix
-- ARGV 1 group  2 consumer
--      3 lease_ms   of consumers whose name does not say theirs: see lib/lease.lua
--      4 steady_ms  for how long all workers could renew their leases, as far as the caller knows: no outage, and no step of
--                   Redis's clock. A longer lease may look expired although its holder lives
--      5 latest     unix ms. If Redis's clock is past it, the call is late or the clock was set forward, and nothing is
--                   reclaimed
--      6 count      the most entries
--      7 quarantined  the most entries among them that must run alone: they have lost more than one worker, or another
--                   worker could not start them
--      8 max_bytes  the call ends after so many bytes of entries
--      9 events_cap  about how many events are kept; 0 = no `stalled` events
-- Reply { now, { { id, starts, { field, value… }, cancelled, stalled }… }, { vanished… } }: now in unix ms; starts is how
--      many workers have died with the job in flight (from the second start on, count-start.lua counts); cancelled is 1 if the job must not run again
--      (cancel.lua), else 0. stalled is 1 if the lease of its worker ran out, and 0 if it was handed over. A vanished id was pending,
--      but its entry is gone.
--
-- A job that starts again is a start: of its queue, and of its group. Where a rate limit forbids it, it is left for later.
--
-- Races
--   Two workers scan at once: the first resets the idle time, so the second does not see the entries.
--   Reply lost: the entries are pending for the caller, and its next renew.lua returns them.
--   Own entries: they are left to renew.lua, which knows what is in flight.

-- @include lib/time
-- @include lib/lease
-- @include lib/pages
-- @include lib/events
-- @include lib/envelope
-- @include lib/limits
-- @include lib/room
-- @include lib/delayed-member
-- @include lib/group-starts

local stream, events, prefix, group, me = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]
local lease_ms, steady_ms, count = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local quarantined, bytes, events_cap = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local now = now_ms()
if now > tonumber(ARGV[5]) then
  return { decimal(now), {}, {} }
end

-- A job that starts again is a start, too.
local limits, us = limits_of(prefix .. 'meta'), nil
if limits then
  us = now_us()
  -- It is in flight already.
  limits.concurrency = nil
  count = allowance(limits, stream, group, prefix, count, us)
end

local entries, vanished = {}, {}

local announced = false
-- An entry without a Job has no event: its worker dead-letters it, and says so.
local function announce_stalled(fields)
  local of = table_of(fields)
  local job_id = of.d and job_id_of(of.d)
  if job_id then
    write_event(events, 'stalled', job_id, decimal(now), of.n or '')
    announced = true
  end
end

-- The group of a pending entry, if it has a rate limit; then the limit: max, duration.
local policy
local function limited_group_of(id)
  policy = policy or group_policy(prefix, prefix .. 'meta')
  if not policy.max and not policy.own then
    return nil
  end
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local head = entry and table_of(entry[2]).r
  local of = head and #head > 22 and split_room_member(head .. member_of('', '')).group or ''
  local _, max, duration
  if of ~= '' then
    _, max, duration = limits_of_group(policy, of)
  end
  return max and of, max, duration
end

local function reclaim(id, starts, runs_alone, is_stalled)
  local limited_group, max, duration = limited_group_of(id)
  if limited_group then
    us = us or now_us()
    if group_allowance(prefix, limited_group, max, duration, 0, us) <= 0 then
      return
    end
  end
  local entry = redis.call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', starts)[1]
  if not entry then
    -- Redis 6.2 keeps a vanished entry in the pending list.
    redis.call('XACK', stream, group, id)
    vanished[#vanished + 1] = id
    return
  end
  if limited_group then
    window_add(prefix .. 'limit:' .. limited_group, duration, us, 1)
  end
  if runs_alone then
    quarantined = quarantined - 1
  end
  local cancelled = redis.call('EXISTS', prefix .. 'cancelled:' .. id)
  entries[#entries + 1] = { id, starts, entry[2], cancelled, is_stalled and 1 or 0 }
  if is_stalled and events_cap > 0 then
    announce_stalled(entry[2])
  end
  bytes = bytes - bytes_of(entry[2])
end

local function reclaim_from(consumer, lease)
  for _, pending in ipairs(redis.call('XPENDING', stream, group, 'IDLE', decimal(lease), '-', '+', 1000, consumer)) do
    if #entries >= count or bytes <= 0 then
      return
    end
    -- A job that was handed over could not start where it was, most likely because it must run alone. The delivery counter
    -- counts starts, and a claim is none.
    local runs_alone = pending[4] > 1 or consumer == NOBODY
    if not runs_alone or quarantined > 0 then
      reclaim(pending[1], pending[4], runs_alone, consumer ~= NOBODY)
    end
  end
end

for _, of in ipairs(consumers_of(stream, group)) do
  local lease = lease_of(of.name, lease_ms)
  if of.pending > 0 and of.name ~= me and lease <= steady_ms then
    reclaim_from(of.name, lease)
  end
end
if limits and limits.max and #entries > 0 then
  window_add(prefix .. 'limit', limits.duration, us, #entries)
end
if announced then
  trim_events(events, events_cap)
end
return { decimal(now), entries, vanished }
