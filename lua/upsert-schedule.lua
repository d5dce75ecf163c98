-- Registers a repeatable spec. Its hash holds the fields given here and two more: `fired`, how often it has fired, and
-- `owed`, how many missed slots are still to be made up for (only while that is going on).
--
-- KEYS repeat schedulerWake prefix calls
-- ARGV 1 key  2 first  the slot at which it fires first if it is new, in unix ms
--      3 schedule      digest of the fields that say when
--      4 revision      digest of all fields
--      5 now           unix ms; '' in tests with a clock of their own
--      6 lost          '' or, for a spec that was lost with Redis's data, how often it had fired: it is registered only
--                      if it is not there, and has not been removed
--      then field and value in turns; then call (see answer.lua)
-- Reply { outcome, next, fired }: outcome 0 = it was there, unchanged, and nothing was written; 1 = it is new, or says
--      something new about when: it starts from `first`, and its count from 0; 2 = it says something new about what:
--      its next slot and its count stay; 3 = it was not lost but removed, or is over, and nothing was written.
--
-- Races: any number of processes may register the same spec at once; the first writes, the others find it unchanged.
-- A scheduler that planned a fire of the replaced spec is stopped by the revision: see fire-schedules.lua. Sent twice, the
-- second time says what the first said.
-- @include lib/answer
-- @include lib/repeat-gone
local set, wake, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local key, first = ARGV[1], ARGV[2]
local call = ARGV[#ARGV]
local hash = prefix .. 'repeat:spec:' .. key

local said = answered(calls, call)
if said then
  return said
end

local next_slot = redis.call('ZSCORE', set, key)
local was = redis.call('HMGET', hash, 'schedule', 'revision', 'fired', 'owed')
local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
local fired = was[3] or '0'
if next_slot and (was[2] == ARGV[4] or ARGV[6] ~= '') then
  return { 0, next_slot, fired }
end
if ARGV[6] ~= '' and redis.call('EXISTS', gone_key(prefix, key)) == 1 then
  return { 3, '0', '0' }
end

local keeps = next_slot and was[1] == ARGV[3]
if not keeps then
  fired = ARGV[6] == '' and '0' or ARGV[6]
end
local fields = { 'schedule', ARGV[3], 'revision', ARGV[4], 'fired', fired }
if keeps and was[4] then
  fields[#fields + 1] = 'owed'
  fields[#fields + 1] = was[4]
end
for i = 7, #ARGV - 1 do
  fields[#fields + 1] = ARGV[i]
end
redis.call('DEL', hash, gone_key(prefix, key))
redis.call('HSET', hash, unpack(fields))
if keeps then
  return answer(calls, call, { 2, next_slot, fired })
end
if not head[2] and ARGV[5] ~= '' then
  -- While there is no spec, schedulers look and have nothing to lead. Those that are there will look again soon; what
  -- falls due until then has not been missed (see read-due-schedules.lua).
  redis.call('SET', prefix .. 'scheduler:gap', ARGV[5], 'NX', 'PX', 5000)
end
redis.call('ZADD', set, first, key)
if not head[2] or tonumber(first) < tonumber(head[2]) then
  -- The spec is there, whatever stands at the wake key: a scheduler looks now and then all the same.
  redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'due', first)
end
return answer(calls, call, { 1, first, fired })
