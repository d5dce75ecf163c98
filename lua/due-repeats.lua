-- Takes the lead of the schedule, or keeps it, and reads the specs that are due. Costs in proportion to those.
--
-- KEYS repeat schedulerLock schedulerWake prefix
-- ARGV 1 holder  2 lock_ms  3 batch
--      4 now    '' = by Redis's clock; a time is for tests
--      5 take   '1' = lead from now on, whoever led: the caller knows of something that is due earlier
--      6 group  7 fields  how many; then fields of a spec to read; then ids of wake entries to acknowledge
-- Reply { leads, gap, now, next, { key, slot, revision, owed, value… }… }: leads 1 or 0 (then nothing else was done);
--      gap is the unix ms until which nobody was leading: slots up to then may have been missed, later ones have come
--      between two looks; next is the slot of the first spec that is not in the list, in unix ms, '' if there is none.
--
-- Races: the gap is kept in Redis, because the specs that were due then may take several looks, and several leaders. The
-- lock only saves work: two leaders may read the same spec, and fire-repeat.lua fires each slot once all the same.
local set, lock, wake, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local holder, batch = ARGV[1], tonumber(ARGV[3])
local now = ARGV[4] == '' and now_ms() or tonumber(ARGV[4])
local count = tonumber(ARGV[7])

local due = redis.call('ZRANGEBYSCORE', set, '-inf', decimal(now), 'WITHSCORES', 'LIMIT', 0, batch)
local leader = redis.call('GET', lock)
for i = 8 + count, #ARGV do
  redis.call('XACK', wake, ARGV[6], ARGV[i])
end
if leader and leader ~= holder and ARGV[5] ~= '1' then
  return { 0, '', decimal(now), '' }
end
redis.call('SET', lock, holder, 'PX', ARGV[2])

local gap = leader and redis.call('GET', prefix .. 'scheduler:gap') or nil
if not leader then
  gap = decimal(now)
  redis.call('SET', prefix .. 'scheduler:gap', gap, 'PX', 86400000)
end

local later = redis.call('ZRANGE', set, #due / 2, #due / 2, 'WITHSCORES')
local reply = { 1, gap or '', decimal(now), later[2] or '' }
local fields = { 'revision', 'owed' }
for i = 8, 7 + count do
  fields[#fields + 1] = ARGV[i]
end
for i = 1, #due, 2 do
  local values = redis.call('HMGET', prefix .. 'repeat:spec:' .. due[i], unpack(fields))
  if values[1] then
    table.insert(values, 1, due[i])
    table.insert(values, 2, due[i + 1])
    reply[#reply + 1] = values
  else
    -- Somebody deleted the hash: nothing says what to fire.
    redis.call('ZREM', set, due[i])
  end
end
return reply
