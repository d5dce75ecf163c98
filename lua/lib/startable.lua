-- How many jobs the limits of a queue let start within the next minute. A worker takes about as long to start, so a limit that ends
-- earlier is no reason to have no worker. Writes nothing but what lib/limits.lua forgets.
-- @include lib/limits
-- @include lib/group-policy
-- @include lib/groups

local SOON = 60000
-- More groups than this are counted by a sample of so many.
local SAMPLE = 100

-- How many jobs of these groups may start. `count`: how many groups there are.
local function startable_of(prefix, policy, groups, count)
  if #groups == 0 then
    return 0
  end
  local own, free, soon = own_limits(policy, groups), 0, now_ms() + SOON
  for i = 1, #groups do
    local from, to = group_bounds(groups[i])
    local waiting = redis.call('ZLEXCOUNT', prefix .. 'room', from, to)
    local concurrency, max, _, limited = limits_with(policy, own[i])
    if limited and limited > soon then
      waiting = 0
    end
    if concurrency then
      waiting = math.min(waiting, math.max(0, concurrency - used_slots(prefix, groups[i])))
    end
    free = free + math.min(waiting, max or waiting)
  end
  return math.ceil(free * count / #groups)
end

-- Of so many waiting jobs of groups.
local function startable_in_groups(prefix, meta, grouped)
  if grouped == 0 then
    return 0
  end
  local policy = group_policy(prefix, meta)
  local turns, limited, until_soon = prefix .. 'groups', prefix .. 'groups:limited', decimal(now_ms() + SOON)
  local free = startable_of(prefix, policy, redis.call('ZRANGE', turns, 0, SAMPLE - 1), redis.call('ZCARD', turns))
    + startable_of(
      prefix,
      policy,
      redis.call('ZRANGEBYSCORE', limited, '-inf', until_soon, 'LIMIT', 0, SAMPLE),
      redis.call('ZCOUNT', limited, '-inf', until_soon)
    )
  return math.min(grouped, free)
end

-- Of `count` jobs, while `active` are in flight.
local function startable_now(prefix, meta, count, active)
  local limits = limits_of(meta)
  if not limits then
    return count
  end
  local now = now_us()
  if limits.limited and limits.limited > now / 1000 + SOON then
    return 0
  end
  if limits.concurrency then
    count = math.min(count, math.max(0, limits.concurrency - active))
  end
  if limits.max and limits.duration <= SOON then
    count = math.min(count, limits.max)
  elseif limits.max then
    local used, frees = window_use(prefix .. 'limit', limits.duration, now)
    count = math.min(count, math.max(limits.max - used, used > 0 and frees <= SOON * 1000 and 1 or 0))
  end
  return count
end
