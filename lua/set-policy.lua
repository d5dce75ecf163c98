-- Changes fields of the policy of a queue, and wakes its workers so that they learn of it at once.
--
-- KEYS meta stream prefix calls
-- ARGV 1 declared  what declares this, such as 'limiter'; '' = nobody does: a caller changes it now
--      2 as        what is declared, as text
--      then pairs of a field and its value, '' = none
--      call        see lib/call-replies.lua
-- Reply 1 if this changed something, else 0
--
-- Many processes declare the same at their start. Only what was not declared before takes effect: so what a caller has changed
-- stays until the declaration changes.
--
-- Races
--   Sent twice, after another caller has changed it: the second call gets the reply of the first, and changes nothing.
--   Wake lost: each worker looks once a second.
--   Rolled back: the workers read what Redis says, whatever they knew.
--   Memory full: see lib/full-memory.lua.

-- @include lib/wake
-- @include lib/full-memory
-- @include lib/call-replies

local meta, stream, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local declared, call = ARGV[1], ARGV[#ARGV]
local said = kept_reply(calls, call, 0)
if said then
  return said
end
local is_known = declared ~= '' and redis.call('HGET', meta, 'declared:' .. declared) == ARGV[2]
if is_known then
  return keep_reply(calls, call, 0, true)
end
allow_writes_at_memory_limit(prefix)
if declared ~= '' then
  redis.call('HSET', meta, 'declared:' .. declared, ARGV[2])
end
local changed = 0
for i = 3, #ARGV - 1, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if (redis.call('HGET', meta, field) or '') ~= value then
    changed = 1
    if value == '' then
      redis.call('HDEL', meta, field)
    else
      redis.call('HSET', meta, field, value)
    end
  end
end
if changed == 1 then
  wake_workers(stream, prefix)
end
return keep_reply(calls, call, changed, changed == 0)
