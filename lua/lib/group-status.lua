-- @include lib/groups
-- @include lib/own-limits
-- @include lib/limit

-- How many ms it takes until jobs of a group may start, as worker.rateLimitGroup has said; 0 = they may.
local function limited_ms(prefix, group)
  local _, _, _, limited = own_parts(redis.call('HGET', prefix .. 'groups:policy', group) or nil)
  limited = limit_of(limited)
  return limited and math.max(0, limited - now_ms()) or 0
end

-- How many jobs of a group wait, and what the group waits for: 'paused'; 'limited' = for its rate limit; 'waiting' = for its turn;
-- 'maxed' = for the end of one of its jobs; '' = for nothing, because it has no jobs that wait.
local function status_of(prefix, room, group)
  local from, to = group_bounds(group)
  local jobs = redis.call('ZLEXCOUNT', room, from, to)
  local status = ''
  if redis.call('SISMEMBER', prefix .. 'groups:paused', group) == 1 then
    status = 'paused'
  elseif jobs > 0 and (redis.call('ZSCORE', prefix .. 'groups:limited', group) or limited_ms(prefix, group) > 0) then
    status = 'limited'
  elseif jobs > 0 then
    status = redis.call('ZSCORE', prefix .. 'groups', group) and 'waiting' or 'maxed'
  end
  return jobs, status
end
