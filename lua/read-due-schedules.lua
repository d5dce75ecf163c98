-- Takes or keeps the lead of the schedulers, and reads the schedules that are due. The cost depends only on how many are due.
--
-- KEYS repeat schedulerLock schedulerWake prefix
-- ARGV 1 holder  2 lock_ms  3 batch
--      4 now        '' = Redis's clock; a time is for tests
--      5 lead       '1' = lead from now on, even if another process leads: the caller knows of a schedule that is due earlier
--      6 group
--      7 silent_ms  see lib/leader.lua; a leader may be late by the least time between two of its polls
--      8 fields     how many fields of a schedule to read; then these; then ids of wake entries to acknowledge
-- Reply { leads, gap, now, next, { key, slot, bytes, revision, owed, value… }… }: leads is 1, or 0: then nothing else was done,
--      and gap is for how many ms another process still leads. gap is the unix ms up to which slots may have been
--      missed, because no leader polled for longer than lock_ms. next is the slot of the first
--      schedule that is not in the list, in unix ms, '' if there is none. bytes is the length of the payload, which each fire
--      copies.
--
-- Races
--   Several polls and several leaders work off what was missed: so the gap is kept in Redis. It lives as long as the lock,
--     but a leader that resigns leaves it, and the next one goes on where it stopped.
--   Two leaders: the lock only saves work. Both may read the same schedule; fire-schedules.lua fires each slot once.
--   Sent twice, reply lost: the second call reads what is due then.

-- @include lib/time
-- @include lib/leader

local set, lock, wake, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local holder, batch = ARGV[1], tonumber(ARGV[3])
local now = ARGV[4] == '' and now_ms() or tonumber(ARGV[4])
local silent_ms, count = tonumber(ARGV[7]), tonumber(ARGV[8])

if redis.call('EXISTS', set) == 0 then
  -- There is nothing to lead, and nothing can have been missed.
  for i = 9 + count, #ARGV do
    redis.call('XACK', wake, ARGV[6], ARGV[i])
  end
  return { 1, decimal(now), decimal(now), '' }
end
local due = redis.call('ZRANGEBYSCORE', set, '-inf', decimal(now), 'WITHSCORES', 'LIMIT', 0, batch)
for i = 9 + count, #ARGV do
  redis.call('XACK', wake, ARGV[6], ARGV[i])
end
local led = led_for(lock, holder, ARGV[5], tonumber(ARGV[2]), silent_ms, function()
  return due[2] ~= nil and tonumber(due[2]) <= now - silent_ms
end)
if led then
  return { 0, decimal(led), decimal(now), '' }
end
redis.call('SET', lock, holder, 'PX', ARGV[2])

local gap = redis.call('GET', prefix .. 'scheduler:gap') or decimal(now)
redis.call('SET', prefix .. 'scheduler:gap', gap, 'PX', ARGV[2])

local later = redis.call('ZRANGE', set, #due / 2, #due / 2, 'WITHSCORES')
local reply = { 1, gap, decimal(now), later[2] or '' }
local fields = { 'revision', 'owed' }
for i = 9, 8 + count do
  fields[#fields + 1] = ARGV[i]
end
for i = 1, #due, 2 do
  local hash = prefix .. 'repeat:spec:' .. due[i]
  -- There are about ten fields, far below the limit of `unpack`.
  local values = redis.call('HMGET', hash, unpack(fields))
  if not values[1] and redis.call('EXISTS', hash) == 0 then
    -- Somebody deleted the hash, so there is nothing to fire.
    redis.call('ZREM', set, due[i])
  else
    -- The hash of a third-party writer has no revision.
    values[1] = values[1] or ''
    table.insert(values, 1, due[i])
    table.insert(values, 2, due[i + 1])
    table.insert(values, 3, redis.call('HSTRLEN', hash, 'payload'))
    reply[#reply + 1] = values
  end
end
return reply
