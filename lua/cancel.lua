-- Cancels jobs by id, wherever they are.
--
-- KEYS delayed stream prefix calls
-- ARGV 1 scope   'delayed' = only what is in the delayed set; 'waiting' = also what waits in the work stream; 'running' =
--                also tell the worker of a job that is in flight
--      per job: job id; its delayed member and its entry id, if the caller has found them, else ''
--      call      see lib/call-replies.lua
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

-- @include lib/live-job
-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/result-waiters

local delayed, stream, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local scope = ARGV[1]
local GONE, REMOVED, IN_FLIGHT, UNKNOWN = 0, 1, 2, 3
-- A day. The worker that ends the job deletes the mark earlier.
local MARK_MS = 86400000

local removed = {}
local function free_id(id)
  removed[#removed + 1] = id
  redis.call('DEL', prefix .. 'didx:' .. id, prefix .. 'dlid:' .. id)
  redis.call('SREM', prefix .. 'delayed:unique', id)
end

local function cancel_entry(id, entry)
  local state, group, consumer = state_of(stream, entry)
  if state == 'in-flight' then
    if scope == 'running' then
      if redis.call('SET', prefix .. 'cancelled:' .. entry, id, 'NX', 'PX', MARK_MS) then
        -- NOMKSTREAM: a third-party worker has no such stream.
        redis.call('XADD', prefix .. 'wake:worker:' .. consumer, 'NOMKSTREAM', '*', 'cancel', entry)
      end
    end
    return IN_FLIGHT
  elseif state == 'ended' then
    return GONE
  end
  redis.call('XDEL', stream, entry)
  free_id(id)
  return REMOVED
end

local function cancel(id, member, entry)
  if member == '' then
    member = redis.call('GET', prefix .. 'didx:' .. id)
  end
  if member and redis.call('ZREM', delayed, member) == 1 then
    free_id(id)
    return REMOVED
  end
  if entry == '' then
    -- The marker of an id of the caller's: see add.lua. The marker of a third-party writer does not say where the job is.
    local known = string.match(redis.call('GET', prefix .. 'dlid:' .. id) or '', '^%d+:(.*)$')
    if known and redis.call('PTTL', prefix .. 'dlid:' .. id) >= 0 then
      return GONE
    end
    entry = known or ''
  end
  if scope == 'delayed' or entry == '' or not is_entry_of(stream, entry, id) then
    return UNKNOWN
  end
  return cancel_entry(id, entry)
end

local call = ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
allow_writes_at_memory_limit(prefix)
local reply = {}
for i = 2, #ARGV - 1, 3 do
  reply[#reply + 1] = cancel(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
tell_gone(prefix, 'removed', removed)
return keep_reply(calls, call, reply)
