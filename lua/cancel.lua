-- Takes jobs back by id, wherever they are.
--
-- KEYS delayed stream prefix calls
-- ARGV 1 scope   how far: 'delayed' = only what is in the delayed set; 'waiting' = what waits in the work stream too;
--                'running' = and what a worker holds is told to end
--      then, per job: job id; its delayed member, and its entry id, where the caller has found them, else ''
--      then call (see answer.lua)
-- Reply { per job: 0 there is no live job of this id; 1 it was taken back, and never runs; 2 a worker holds it (it has
--      been told, where the scope says so); 3 nothing here says where it is: look for it }
--
-- Races: delivery, promotion and this are single steps on one slot, so "taken back" and "delivered" exclude each other:
-- an entry that is pending is never removed here. Its worker may be dead, or about to schedule a retry, when it is told:
-- so a mark is left, which every script that would let the job run again looks for (retry, release, reclaim, renew).

-- @include lib/live
-- @include lib/answer
-- @include lib/drain
-- @include lib/ended

local delayed, stream, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local scope = ARGV[1]
local GONE, REMOVED, HELD, UNKNOWN = 0, 1, 2, 3
-- Longer than any lease: the worker that ends the job deletes the mark.
local MARK_MS = 86400000

local removed = {}
local function free(id)
  removed[#removed + 1] = id
  redis.call('DEL', prefix .. 'didx:' .. id, prefix .. 'dlid:' .. id)
  redis.call('SREM', prefix .. 'delayed:unique', id)
end

local function take_entry(id, entry)
  local state, group, consumer = state_of(stream, entry)
  if state == 'in-flight' then
    if scope == 'running' then
      if redis.call('SET', prefix .. 'cancelled:' .. entry, id, 'NX', 'PX', MARK_MS) then
        -- A worker that does not listen has no such stream.
        redis.call('XADD', prefix .. 'wake:worker:' .. consumer, 'NOMKSTREAM', '*', 'cancel', entry)
      end
    end
    return HELD
  elseif state == 'ended' then
    return GONE
  end
  redis.call('XDEL', stream, entry)
  free(id)
  return REMOVED
end

local function take(id, member, entry)
  if member == '' then
    member = redis.call('GET', prefix .. 'didx:' .. id)
  end
  if member and redis.call('ZREM', delayed, member) == 1 then
    free(id)
    return REMOVED
  end
  if entry == '' then
    -- The marker of an id of the caller's: see add.lua. That of another writer says only that there is one.
    local known = string.match(redis.call('GET', prefix .. 'dlid:' .. id) or '', '^%d+:(.*)$')
    if known and redis.call('PTTL', prefix .. 'dlid:' .. id) >= 0 then
      return GONE
    end
    entry = known or ''
  end
  if scope == 'delayed' or entry == '' or not is_entry_of(stream, entry, id) then
    return UNKNOWN
  end
  return take_entry(id, entry)
end

local call = ARGV[#ARGV]
local said = answered(calls, call)
if said then
  return said
end
may_drain(prefix)
local reply = {}
for i = 2, #ARGV - 1, 3 do
  reply[#reply + 1] = take(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
tell_gone(prefix, 'removed', removed)
return answer(calls, call, reply)
