-- Counts the jobs of a queue by state, at one instant. Writes nothing.
--
-- KEYS stream delayed dlq repeat prefix room
-- ARGV 1 before   unix ms: count only delayed jobs that are due before it; '' = all delayed jobs
-- Reply { waiting, active, delayed, dead letters, completed jobs that are kept, schedules, paused, prioritized, grouped }: paused is 1 if
--      the queue is paused, else 0. `waiting` counts every entry of the stream that no consumer has, and the jobs of the room
--      that are not prioritized: those with lifo or in a group.

-- @include lib/active
-- @include lib/queue-pause
-- @include lib/room

local stream, prefix, before = KEYS[1], KEYS[5], ARGV[1]
local active = count_active(stream)
local lifo, prioritized, grouped = count_room(KEYS[6])
return {
  -- An entry that was deleted by hand may still be pending.
  math.max(0, redis.call('XLEN', stream) - active) + lifo + grouped,
  active,
  before == '' and redis.call('ZCARD', KEYS[2]) or redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. before),
  redis.call('XLEN', KEYS[3]),
  redis.call('ZCARD', prefix .. 'completed'),
  redis.call('ZCARD', KEYS[4]),
  paused_since(prefix .. 'meta') and 1 or 0,
  prioritized,
  grouped,
}
