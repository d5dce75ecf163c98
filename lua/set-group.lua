-- Changes what is special about one group: limits of its own (lib/own-limits.lua), and whether it is paused. Tells the workers.
--
-- KEYS stream prefix calls
-- ARGV 1 group
--      then pairs of a field and its value, '' = none: concurrency, max, duration; paused: '1' = it is; limited: none of its jobs may
--      start for so many ms
--      call     see lib/call-replies.lua
-- Reply 1 if this changed something, else 0
--
-- Races
--   Sent twice, after another caller has changed it: the second call gets the reply of the first, and changes nothing.
--   Wake lost: each worker asks once a second.
--   Delivery: it and this script are single steps on one slot, so no job of the group starts after a pause. Jobs that run go on.
--   Slot moving: the stream is named so that Redis refuses this as long as the keys are on two nodes.
--   Memory full: see lib/full-memory.lua. A group of a full queue can be paused.

-- @include lib/groups
-- @include lib/wake-idle
-- @include lib/full-memory
-- @include lib/call-replies
-- @include lib/own-limits

local prefix, calls = KEYS[2], KEYS[3]
local group, call = ARGV[1], ARGV[#ARGV]
local said = kept_reply(calls, call, 0)
if said then
  return said
end
local now = now_ms()
local policy, paused, limited = prefix .. 'groups:policy', prefix .. 'groups:paused', prefix .. 'groups:limited'
-- Keys of the wrong type fail here, before anything is written.
check_groups(prefix)
redis.call('ZCARD', limited)
redis.call('ZCARD', prefix .. 'room')
local own = redis.call('HGET', policy, group) or nil
local fields = {}
fields.concurrency, fields.max, fields.duration, fields.limited = own_parts(own)
if fields.limited ~= '' and tonumber(fields.limited) <= now then
  fields.limited = ''
end
local before = own_text(fields.concurrency, fields.max, fields.duration, fields.limited)
fields.paused = redis.call('SISMEMBER', paused, group) == 1 and '1' or ''
for i = 2, #ARGV - 1, 2 do
  local value = ARGV[i + 1]
  fields[ARGV[i]] = ARGV[i] == 'limited' and decimal(now + value) or value
end

allow_writes_at_memory_limit(prefix)
local changed = 0
local text = own_text(fields.concurrency, fields.max, fields.duration, fields.limited)
if text ~= before then
  changed = 1
end
if text ~= own then
  write_own(policy, group, text)
end
if fields.limited ~= '' then
  forget_some_limited(policy, now)
end
if redis.call(fields.paused == '1' and 'SADD' or 'SREM', paused, group) == 1 then
  changed = 1
end
if changed == 1 then
  -- It waits for what the limits say now.
  redis.call('ZREM', limited, group)
  if fields.paused == '1' or fields.limited ~= '' then
    redis.call('ZREM', prefix .. 'groups', group)
  end
  if fields.paused ~= '1' and has_jobs(prefix, group) then
    if fields.limited ~= '' then
      redis.call('ZADD', limited, fields.limited, group)
      -- Somebody has to ask again then.
      wake_idle(prefix, 1)
    else
      place_group(prefix, group)
      wake_idle(prefix, 100)
    end
  end
end
return keep_reply(calls, call, changed, changed == 0)
