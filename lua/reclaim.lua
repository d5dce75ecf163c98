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
-- Reply { now, { { id, starts, { field, value… }, cancelled, stalled }… }, { vanished… }, unconfirmed, wait }: now in unix ms;
--      starts is how many workers have died with the job in flight (from the second start on, count-start.lua counts); cancelled is 1 if
--      the job must not run again (cancel.lua), else 0. stalled is 1 if the lease of its worker ran out, and 0 if it was handed over. A
--      vanished id was pending, but its entry is gone. unconfirmed: '' = nobody counts these starts; else pass it to confirm-starts.lua
--      when they have started. wait: rate limits have left some for later; ask again
--      in so many ms; '' = they have left none.
--
-- A job that starts again is a start: of its queue, and of its group. Where a rate limit forbids it, it is left for later, and a start
-- of later is kept for it: else jobs that wait would take each start that becomes free.
--
-- Jobs that a dead worker may not have started count as starts that do not leave the window. Once all its leases are over, and it can
-- start none of them any more, they count as started now. So its jobs must be out of its reach: those that wait for a limit go to
-- the consumer EXPIRED, else the worker could wake up, renew their leases and start them.
--
-- Races
--   Two workers scan at once: the first resets the idle time, so the second does not see the entries.
--   Reply lost: the entries are pending for the caller, and its next renew.lua returns them. Their starts count for a while longer: see
--     lib/limits.lua.
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
local us = now_us()
local now = math.floor(us / 1000)
if now > tonumber(ARGV[5]) then
  return { decimal(now), {}, {}, '', '' }
end

-- A job that starts again is a start, too.
local limits = limits_of(prefix .. 'meta')
local tokens, wait = count, ''
if limits then
  -- It is in flight already.
  limits.concurrency = nil
  tokens, wait = allowance(limits, stream, group, prefix, count, us, KEPT)
end
wait = tonumber(wait) or math.huge

-- How many the limit of the queue has left for later; and those of groups, by group. In how many ms more may start.
local left, left_in, waits = 0, {}, math.huge
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

-- The group of a pending entry, if it has a rate limit; then the limit: max, duration; then until when none of its jobs may start.
local policy, taking
local function limited_group_of(id)
  policy = policy or group_policy(prefix, prefix .. 'meta')
  if not policy.max and not policy.own then
    return nil
  end
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local head = entry and table_of(entry[2]).r
  local of = head and #head > 22 and split_room_member(head .. member_of('', '')).group or ''
  local _, max, duration, until_ms
  if of ~= '' then
    _, max, duration, until_ms = limits_of_group(policy, of)
  end
  return max and of, max, duration, until_ms
end

local starts_of, any_start, longest = {}, false, 0
local function reclaim(id, starts, runs_alone, is_stalled)
  if #entries >= tokens then
    left, waits = left + 1, math.min(waits, wait)
    return
  end
  local limited_group, max, duration, until_ms = limited_group_of(id)
  if until_ms and until_ms > now then
    waits = math.min(waits, until_ms - now)
    return
  end
  if limited_group then
    taking = taking or taking_of_groups(prefix, policy, '', us, KEPT)
    local in_group = (taking[limited_group] or 0) + (starts_of[limited_group] or 0)
    local free, frees = group_allowance(prefix, limited_group, max, duration, in_group, us)
    longest = math.max(longest, duration)
    if free <= 0 then
      left_in[limited_group] = (left_in[limited_group] or 0) + 1
      waits = math.min(waits, math.ceil(frees / 1000))
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
    starts_of[limited_group] = (starts_of[limited_group] or 0) + 1
    any_start = true
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
    if #entries + left >= count or bytes <= 0 then
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

-- The names under which jobs count that this consumer may not have started: see lib/limits.lua.
local function names_of(all, consumer)
  local names, head = {}, consumer .. ' '
  for _, name in ipairs(all) do
    if name == consumer or string.sub(name, 1, #head) == head then
      names[#names + 1] = name
    end
  end
  return names
end

local visited = {}
for _, of in ipairs(consumers_of(stream, group)) do
  local lease = lease_of(of.name, lease_ms)
  if of.pending > 0 and of.name ~= me and lease <= steady_ms then
    reclaim_from(of.name, lease)
    visited[#visited + 1] = { of.name, lease }
  end
end

-- Takes the last jobs of a consumer out of its reach. Whether it has none any more.
local function cut_off(consumer, lease)
  local rest = redis.call('XPENDING', stream, group, 'IDLE', decimal(lease), '-', '+', 1000, consumer)
  if #rest > 0 then
    local claim = { 'XCLAIM', stream, group, EXPIRED, 0 }
    for i = 1, #rest do
      claim[5 + i] = rest[i][1]
    end
    claim[#claim + 1] = 'JUSTID'
    redis.call(unpack(claim))
  end
  return #redis.call('XPENDING', stream, group, '-', '+', 1, consumer) == 0
end

local of_queue, of_groups = prefix .. 'taking', prefix .. 'groups:taking'
if #visited > 0 and redis.call('EXISTS', of_queue, of_groups) > 0 then
  local in_queue, in_groups = redis.call('HKEYS', of_queue), redis.call('HKEYS', of_groups)
  for _, of in ipairs(visited) do
    local queue_names, group_names = names_of(in_queue, of[1]), names_of(in_groups, of[1])
    if #queue_names + #group_names > 0 and cut_off(of[1], of[2]) then
      for _, name in ipairs(queue_names) do
        confirm_starts(prefix, name, limits, '', us)
      end
      for _, name in ipairs(group_names) do
        confirm_group_starts(prefix, prefix .. 'meta', name, '')
      end
    end
  end
end
-- The worker may take other jobs meanwhile, so these have a name of their own.
local unconfirmed, starter = '', me .. ' ' .. decimal(us)
if limits and limits.max then
  keep_starts(prefix, limits.duration, us, left)
  if #entries > 0 then
    begin_starts(prefix, starter, limits.duration, us, #entries)
    unconfirmed = decimal(us)
  end
end
if any_start then
  begin_group_starts(prefix, starter, us, starts_of, longest)
  unconfirmed = decimal(us)
end
if taking then
  keep_group_starts(prefix, us, left_in, longest)
end
if announced then
  trim_events(events, events_cap)
end
return { decimal(now), entries, vanished, unconfirmed, waits < math.huge and decimal(waits) or '' }
