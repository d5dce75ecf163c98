-- How many jobs of a group may start. Fields of the hash `meta` say it for all groups:
--   groupConcurrency            how many may be in flight
--   groupMax, groupDuration     how many may start in any so many ms
--   groupStrict                 '1': one after the other, also when a job fails: until its retry has ended, no other starts
-- The hash `groups:policy` has what differs for single groups: see lib/own-limits.lua.
-- @include lib/limit
-- @include lib/own-limits

local function group_policy(prefix, meta)
  local fields = redis.call('HMGET', meta, 'groupConcurrency', 'groupMax', 'groupDuration', 'groupStrict')
  local own = prefix .. 'groups:policy'
  return {
    concurrency = limit_of(fields[1]),
    max = limit_of(fields[2]),
    duration = limit_of(fields[3]),
    is_strict = fields[4] == '1',
    own = redis.call('HLEN', own) > 0 and own,
  }
end

-- What differs for these groups, in their order. An empty table: nothing.
local function own_limits(policy, groups)
  return policy.own and redis.call('HMGET', policy.own, unpack(groups)) or {}
end

-- The limits of a group: concurrency, max, duration; nil = none; then until when none of its jobs may start, in unix ms, which may be
-- over; nil = they may. `own`: of own_limits.
local function limits_with(policy, own)
  local concurrency, max, duration, limited = policy.concurrency, policy.max, policy.duration, nil
  if own then
    local own_concurrency, own_max, own_duration, own_limited = own_parts(own)
    concurrency = limit_of(own_concurrency) or concurrency
    max = limit_of(own_max) or max
    duration = limit_of(own_duration) or duration
    limited = limit_of(own_limited)
  end
  if policy.is_strict then
    concurrency = 1
  end
  return concurrency, duration and max, max and duration, limited
end

-- The same of one group.
local function limits_of_group(policy, group)
  return limits_with(policy, own_limits(policy, { group })[1])
end
