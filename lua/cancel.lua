-- Cancels jobs by id, wherever they are.
--
-- KEYS delayed stream events prefix calls
-- ARGV 1 scope       'delayed' = only what is in the delayed set; 'running' = also what waits in the work stream, and tell the
--                    worker of a job that is in flight
--      2 events_cap  0 = no events
--      per job: job id; its delayed member and its entry id, if the caller has found them, else ''
--      call          see lib/call-replies.lua
-- Reply { per job: 0 there is no live job of this id; 1 it was removed, and never runs; 2 it is in flight (its worker was
--      told, if the scope says so); 3 Redis has no record of where it is, so the caller has to search }
--
-- Races
--   Delivery and promotion: they and this script are single steps on one slot, so a job is either removed or delivered. An
--     entry that is pending is never removed here.
--   Worker dead, or about to schedule a retry: a mark is left, and each script that would let the job run again looks for
--     it (retry, dead-letter, release, reclaim, renew).
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua.

-- @include lib/locate-job
-- @include lib/dedup-of-job
-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/result-waiters
-- @include lib/delayed-member
-- @include lib/pages
-- @include lib/events
-- @include lib/time
-- @include lib/forget-gate

local delayed, stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local scope, cap = ARGV[1], tonumber(ARGV[2])
local GONE, REMOVED, IN_FLIGHT, UNKNOWN = 0, 1, 2, 3
-- A day. The worker that ends the job deletes the mark earlier.
local MARK_MS = 86400000

local removed, ts = {}, nil
local function removed_from(state, id, name, d)
  removed[#removed + 1] = id
  free_id(prefix, id)
  free_dedup(stream, delayed, prefix, id, d)
  if cap > 0 then
    ts = ts or decimal(now_ms())
    write_event(events, 'removed', id, ts, name, 'prev', state)
  end
  return REMOVED
end

local function cancel(id, member, entry)
  local state, place, consumer, in_room = locate(stream, delayed, prefix, id, member, entry)
  if state == 'delayed' then
    local name, d = split_member(place)
    redis.call('ZREM', delayed, place)
    move_hold(prefix, d, place)
    return removed_from(state, id, name, d)
  elseif state == 'ended' then
    return GONE
  elseif not state or scope == 'delayed' then
    return UNKNOWN
  elseif state == 'active' then
    if redis.call('SET', prefix .. 'cancelled:' .. place, id, 'NX', 'PX', MARK_MS) then
      -- NOMKSTREAM: a third-party worker has no such stream. The mark counts, even if the wake is lost.
      redis.pcall('XADD', prefix .. 'wake:worker:' .. consumer, 'NOMKSTREAM', '*', 'cancel', place)
    end
    return IN_FLIGHT
  end
  if in_room then
    leave_room(prefix, place)
    local job = split_room_member(place)
    return removed_from(state, id, job.name, job.d)
  end
  local fields = redis.call('XRANGE', stream, place, place)[1][2]
  redis.call('XDEL', stream, place)
  return removed_from(state, id, field_of(fields, 'n') or '', field_of(fields, 'd'))
end

local call = ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
check_types(delayed, prefix)
allow_writes_at_memory_limit(prefix)
local reply = {}
for i = 3, #ARGV - 1, 3 do
  reply[#reply + 1] = cancel(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
if ts then
  trim_events(events, cap)
end
tell_gone(prefix, 'removed', removed)
forget_gate(prefix)
return keep_reply(calls, call, reply)
