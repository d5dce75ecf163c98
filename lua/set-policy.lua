-- Changes fields of the policy of a queue, and wakes its workers so that they learn of it at once.
--
-- KEYS meta stream prefix calls
-- ARGV 1 declared  what workers declare: 'limiter' or 'group'; '' = a caller changes it now
--      2 as        what is declared, as text; '' = a caller removes what was declared
--      3 restores  '1': only if nothing is declared; else ''
--      then pairs of a field and its value, '' = none
--      call        see lib/call-replies.lua
-- Reply 1 if this changed something, else 0
--
-- Many processes declare the same at their start. Only what was not declared before takes effect: so what a caller has changed
-- stays until the declaration changes. A caller who removes a limit ends that: what the workers declare takes effect again, because
-- they look once a second whether it is declared.
--
-- Races
--   Sent twice, after another caller has changed it: the second call gets the reply of the first, and changes nothing.
--   Wake lost: each worker looks once a second.
--   Declared meanwhile, by a worker with other options: a worker that restores has read that nothing was declared. It changes nothing.
--   Rolled back: the workers read what Redis says, whatever they knew.
--   Memory full: see lib/full-memory.lua.

-- @include lib/wake
-- @include lib/full-memory
-- @include lib/call-replies
-- @include lib/groups
-- @include lib/idle-workers

local meta, stream, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local declared, call = ARGV[1], ARGV[#ARGV]
local said = kept_reply(calls, call, 0)
if said then
  return said
end
local before = ARGV[2] ~= '' and redis.call('HGET', meta, 'declared:' .. declared)
if before and (before == ARGV[2] or ARGV[3] == '1') then
  return keep_reply(calls, call, 0, true)
end
-- The groups that waited for the old limits take turns again, at most so many; the others when audit-groups.lua comes to them.
local MOST_GROUPS = 500
local function return_groups()
  local limited = prefix .. 'groups:limited'
  local groups = redis.call('ZRANGE', limited, 0, MOST_GROUPS - 1)
  if #groups > 0 then
    redis.call('ZREM', limited, unpack(groups))
  end
  -- Those at their concurrency have jobs in flight.
  local at = '-'
  for _ = 1, MOST_GROUPS do
    local slot = redis.call('ZRANGEBYLEX', prefix .. 'slots', at, '+', 'LIMIT', 0, 1)[1]
    if not slot then
      break
    end
    local group = struct.unpack('>I2c0', slot)
    local _, to = group_bounds(group)
    groups[#groups + 1], at = group, '[' .. string.sub(to, 2)
  end
  for _, group in ipairs(groups) do
    if has_jobs(prefix, group) then
      place_group(prefix, group)
    end
  end
end

allow_writes_at_memory_limit(prefix)
local changed, of_groups, is_forgotten = 0, false, false
if ARGV[2] ~= '' then
  redis.call('HSET', meta, 'declared:' .. declared, ARGV[2])
elseif declared ~= '' then
  is_forgotten = redis.call('HDEL', meta, 'declared:' .. declared) == 1
end
for i = 4, #ARGV - 1, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if (redis.call('HGET', meta, field) or '') ~= value then
    changed, of_groups = 1, of_groups or string.sub(field, 1, 5) == 'group'
    if value == '' then
      redis.call('HDEL', meta, field)
    else
      redis.call('HSET', meta, field, value)
    end
  end
end
if of_groups then
  -- Keys of the wrong type do not keep a policy from being changed.
  pcall(return_groups)
end
if changed == 1 or is_forgotten then
  forget_idle_workers(prefix)
  wake_workers(stream, prefix)
end
return keep_reply(calls, call, changed, changed == 0 and not is_forgotten)
