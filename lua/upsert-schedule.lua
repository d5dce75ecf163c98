-- Registers a schedule. Its hash has the fields given here and more: `fired`, how often it has fired; `stored`, when this
-- definition was first stored (a later definition has a greater value, whatever the clock does); `owed`, how many missed slots
-- are still to be made up for (only while that lasts); `paused` and `slot` (only while it is paused, see
-- lib/paused-schedules.lua).
--
-- KEYS repeat schedulerWake prefix calls
-- ARGV 1 key
--      2 first     the slot at which a new schedule fires first, in unix ms
--      3 schedule  digest of the fields that say when it fires
--      4 revision  digest of all fields
--      5 now       unix ms; '' in tests with a clock of their own
--      6 lost      '' = register in any case. A number = the schedule was lost with Redis's data after it had fired so often:
--                  it is registered only if it is not there and was not removed, or if an earlier definition is there
--      7 stored    '' or, for a schedule that was lost, its `stored`
--      8 paused    '' or, for a schedule that was lost while it was paused, since when
--      9 count     the count of a schedule that starts
--     10 owner  11 generation  '' or, if the caller has claimed the schedules of the owner, the generation of its deployment
--      12 expected  '' or, for a change of a schedule that was read before, the revision that it had: it is changed only if
--                  it still has it, and keeps its count
--      fields and values, in turns
--      call        see lib/call-replies.lua
-- Reply { outcome, next, fired, stored, paused }: outcome 0 = it was there, unchanged, and nothing was written; 1 = it is new,
--      or fires at other times than before: it starts from `first`, and its count from `count`; 2 = it fires something else:
--      its next slot and its count stay; 3 = it was not lost but removed, or is over, and nothing was written; 4 = a newer
--      deployment of the owner has claimed its schedules, and nothing was written; 5 = it has another revision than expected, or
--      is gone, and nothing was written. paused: since when it is paused, '' = it is
--      not; a paused schedule stays paused, whatever changes, and its next is the slot that it was to fire.
--
-- Races
--   Two deployments of an owner: the older one may have claimed before the newer one, and declare after it. The generation
--     stops it here.
--   Changed or removed since the caller has read it: the expected revision stops the change.
--   Many processes register the same schedule at once: the first writes, the others find it unchanged.
--   Processes that know different definitions restore it in any order: the definition that was stored last stays.
--   A scheduler has planned a fire of the replaced schedule: the revision stops it (fire-schedules.lua).
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: the first write is DEL, which the memory limit allows.

-- @include lib/call-replies
-- @include lib/paused-schedules
-- @include lib/removed-schedules
-- @include lib/time

local set, wake, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local key, first, expected = ARGV[1], ARGV[2], ARGV[12]
local call = ARGV[#ARGV]
local hash = prefix .. 'repeat:spec:' .. key

local said = kept_reply(calls, call)
if said then
  return said
end

local score = redis.call('ZSCORE', set, key)
local was = redis.call('HMGET', hash, 'schedule', 'revision', 'fired', 'owed', 'stored', 'paused', 'slot')
local head = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
local fired, stored = was[3] or '0', tonumber(was[5]) or 0
local paused, slot = '', score
if is_paused(score) then
  paused, slot = was[6] or '0', was[7] or first
end
local is_lost = ARGV[6] ~= ''
if score and (was[2] == ARGV[4] or is_lost and stored >= tonumber(ARGV[7])) then
  return { 0, slot, fired, decimal(stored), paused }
end
if expected ~= '' and (not score or was[2] ~= expected) then
  return { 5, '0', '0', '0', '' }
end
if is_lost and not score and redis.call('EXISTS', removed_key(prefix, key)) == 1 then
  return { 3, '0', '0', '0', '' }
end
if ARGV[11] ~= '' then
  local newest = redis.call('HGET', prefix .. 'repeat:owners', ARGV[10])
  if newest and tonumber(newest) > tonumber(ARGV[11]) then
    return { 4, slot or first, fired, decimal(stored), paused }
  end
end

local keeps = score and was[1] == ARGV[3]
if not keeps then
  fired, slot = is_lost and ARGV[6] or expected ~= '' and fired or ARGV[9], first
end
if is_lost and paused == '' then
  paused = ARGV[8]
end
stored = is_lost and tonumber(ARGV[7]) or math.max(now_ms(), stored + 1)
local fields = { 'schedule', ARGV[3], 'revision', ARGV[4], 'fired', fired, 'stored', decimal(stored) }
local function keep(field, value)
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
if keeps and was[4] then
  keep('owed', was[4])
end
if paused ~= '' then
  keep('paused', paused)
  keep('slot', slot)
end
for i = 13, #ARGV - 1 do
  fields[#fields + 1] = ARGV[i]
end
redis.call('DEL', hash, removed_key(prefix, key))
-- There are about twenty fields, far below the limit of `unpack`.
redis.call('HSET', hash, unpack(fields))
redis.call('ZADD', set, paused == '' and slot or PAUSED, key)
if keeps then
  return keep_reply(calls, call, { 2, slot, fired, decimal(stored), paused })
end
if not head[2] and ARGV[5] ~= '' then
  -- While there is no schedule, schedulers poll and have nothing to lead. They will poll again soon: what falls due until
  -- then was not missed (see read-due-schedules.lua). Nor is a first slot that is due at once.
  local gap = decimal(math.min(tonumber(ARGV[5]), tonumber(first) - 1))
  redis.call('SET', prefix .. 'scheduler:gap', gap, 'NX', 'PX', 5000)
end
if paused == '' and (not head[2] or tonumber(first) < tonumber(head[2])) then
  -- The schedule is registered, even if the wake key has the wrong type: schedulers also poll.
  redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'due', first)
end
return keep_reply(calls, call, { 1, first, fired, decimal(stored), paused })
