-- Says what a sweep over the jobs of a queue begins with. Writes nothing.
--
-- KEYS stream delayed dlq prefix room
-- ARGV none
-- Reply { now, newest entry, entries in the stream that are not active, delayed jobs, dead letters, completed jobs that are kept,
--      paused, lifo, prioritized, grouped, number }: now is in unix ms; the newest entry is '' if there is none; paused is 1 or 0;
--      three counts of the room, and the number that it gave out last, '0' if none (lib/room.lua).

-- @include lib/time
-- @include lib/active
-- @include lib/queue-pause
-- @include lib/room

local stream, prefix = KEYS[1], KEYS[4]
local lifo, prioritized, grouped = count_room(KEYS[5])
local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
return {
  decimal(now_ms()),
  newest and newest[1] or '',
  math.max(0, redis.call('XLEN', stream) - count_active(stream)),
  redis.call('ZCARD', KEYS[2]),
  redis.call('XLEN', KEYS[3]),
  redis.call('ZCARD', prefix .. 'completed'),
  paused_since(prefix .. 'meta') and 1 or 0,
  lifo,
  prioritized,
  grouped,
  redis.call('HGET', prefix .. 'gate', 'seq') or '0',
}
