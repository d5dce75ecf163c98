-- What a group has, and what it waits for. Writes nothing.
--
-- KEYS room prefix
-- ARGV 1 group
-- Reply { jobs, active, status, own…, starts, frees, ends, limited }: jobs is how many wait, active how many are in flight; see lib/group-status.lua. own: its own
--      limits, concurrency, max and duration; '' = it has none. How many of its jobs have started in the window of its rate limit, in how many ms the oldest of
--      them leave it, and in how many ms all have left: 0 without a rate limit. In how many
--      ms its jobs may start again: 0 = nobody has forbidden it.

-- @include lib/group-status
-- @include lib/group-policy
-- @include lib/limits

local room, prefix, group = KEYS[1], KEYS[2], ARGV[1]
local jobs, status = status_of(prefix, room, group)
local concurrency, max, duration = own_parts(redis.call('HGET', prefix .. 'groups:policy', group) or nil)
local _, most, window = limits_of_group(group_policy(prefix, prefix .. 'meta'), group)
local starts, frees, ends = 0, 0, 0
if most then
  starts, frees, ends = window_use(prefix .. 'limit:' .. group, window, now_us())
end
return {
  jobs,
  active_of_group(prefix, group),
  status,
  concurrency,
  max,
  duration,
  decimal(starts),
  decimal(math.ceil(frees / 1000)),
  decimal(math.ceil(ends / 1000)),
  decimal(limited_ms(prefix, group)),
}
