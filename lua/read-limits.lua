-- The limits of a queue, and how far they are used.
--
-- KEYS meta stream prefix
-- ARGV 1 group
-- Reply { concurrency, max, duration, limited, pending, starts, frees, ends, then those of groups: concurrency, max, duration,
--      strict }: '' where there is no such limit. limited: for how many
--      ms no job starts, whatever the window says; pending: how many jobs are in flight; starts: how many have started in the
--      window; in how many ms the oldest of them leave it, and in how many ms all have left.

-- @include lib/limits
-- @include lib/stream-info
-- @include lib/group-policy

local meta, stream, prefix, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local limits, us = limits_of(meta) or {}, now_us()
local pending = 0
for _, of in ipairs(groups_of(stream)) do
  pending = of.name == group and of.pending or pending
end
local starts, frees, ends = 0, 0, 0
if limits.max then
  starts, frees, ends = window_use(prefix .. 'limit', limits.duration, us)
end
local of_groups = group_policy(prefix, meta)
local function text(number)
  return number and decimal(number) or ''
end
return {
  text(limits.concurrency),
  text(limits.max),
  text(limits.duration),
  text(limits.limited and math.max(0, math.ceil(limits.limited - us / 1000))),
  decimal(pending),
  decimal(starts),
  decimal(math.ceil(frees / 1000)),
  decimal(math.ceil(ends / 1000)),
  text(of_groups.concurrency),
  text(of_groups.max),
  text(of_groups.duration),
  of_groups.is_strict and '1' or '',
}
