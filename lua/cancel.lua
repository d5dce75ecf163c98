-- Takes jobs back by id, wherever they are.
--
-- KEYS delayed stream prefix
-- ARGV 1 scope   how far: 'delayed' = only what is in the delayed set; 'waiting' = what waits in the work stream too;
--                'running' = and what a worker holds is told to end
--      then, per job: job id; its delayed member, and its entry id, where the caller has found them, else ''
-- Reply { per job: 0 there is no live job of this id; 1 it was taken back, and never runs; 2 a worker holds it (it has
--      been told, where the scope says so); 3 nothing here says where it is: look for it }
--
-- Races: delivery, promotion and this are single steps on one slot, so "taken back" and "delivered" exclude each other:
-- an entry that is pending is never removed here. Its worker may be dead, or about to schedule a retry, when it is told:
-- so a mark is left, which every script that would let the job run again looks for (retry, release, reclaim, renew).

-- @include lib/envelope
-- @include lib/drain
-- @include lib/ended

local delayed, stream, prefix = KEYS[1], KEYS[2], KEYS[3]
local scope = ARGV[1]
local GONE, REMOVED, HELD, UNKNOWN = 0, 1, 2, 3
-- Longer than any lease: the worker that ends the job deletes the mark.
local MARK_MS = 86400000

local function is_before(a, b)
  local a_ms, a_sequence = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_sequence = string.match(b, '^(%d+)-(%d+)$')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms < b_ms or (a_ms == b_ms and tonumber(a_sequence) < tonumber(b_sequence))
end

local removed = {}
local function forget(id)
  removed[#removed + 1] = id
  redis.call('DEL', prefix .. 'didx:' .. id, prefix .. 'dlid:' .. id)
  redis.call('SREM', prefix .. 'delayed:unique', id)
end

local function is_entry_of(entry, id)
  local found = redis.call('XRANGE', stream, entry, entry)[1]
  for i = 1, found and #found[2] or 0, 2 do
    if found[2][i] == 'd' then
      return job_id_of(found[2][i + 1]) == id
    end
  end
  return false
end

local function take_entry(id, entry)
  local groups = redis.call('XINFO', 'GROUPS', stream)
  local waits = #groups == 0
  for _, group in ipairs(groups) do
    local of = {}
    for i = 1, #group, 2 do
      of[group[i]] = group[i + 1]
    end
    local pending = redis.call('XPENDING', stream, of.name, entry, entry, 1)[1]
    if pending then
      if scope == 'running' and redis.call('SET', prefix .. 'cancelled:' .. entry, id, 'NX', 'PX', MARK_MS) then
        -- A worker that does not listen has no such stream.
        redis.call('XADD', prefix .. 'wake:worker:' .. pending[2], 'NOMKSTREAM', '*', 'cancel', entry)
      end
      return HELD
    end
    waits = waits or is_before(of['last-delivered-id'], entry)
  end
  if not waits then
    -- Delivered and acknowledged: a worker of another kind ended it, and has not deleted it yet.
    return GONE
  end
  redis.call('XDEL', stream, entry)
  forget(id)
  return REMOVED
end

local function take(id, member, entry)
  if member == '' then
    member = redis.call('GET', prefix .. 'didx:' .. id)
  end
  if member and redis.call('ZREM', delayed, member) == 1 then
    forget(id)
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
  if scope == 'delayed' or entry == '' or not is_entry_of(entry, id) then
    return UNKNOWN
  end
  return take_entry(id, entry)
end

may_drain(prefix)
local reply = {}
for i = 2, #ARGV, 3 do
  reply[#reply + 1] = take(ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
tell_gone(prefix, 'removed', removed)
return reply
