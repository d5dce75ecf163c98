-- Counts what a queue holds at one instant, by Redis's clock. Writes nothing.
--
-- KEYS stream delayed dlq
-- ARGV 1 group
-- Reply { waiting, ms since the oldest of them could run, active, delayed, due, ms by which the earliest of those is
--      late, dead letters }; `due` are those of `delayed` that wait for the promoter only.

-- @include lib/events

local stream, delayed, dlq = KEYS[1], KEYS[2], KEYS[3]
local now = now_ms()

local length = redis.call('XLEN', stream)
local active, delivered = 0, '0-0'
if length > 0 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local info = {}
    for i = 1, #group, 2 do
      info[group[i]] = group[i + 1]
    end
    if info['name'] == ARGV[1] then
      active, delivered = info['pending'], info['last-delivered-id']
    end
  end
end

-- An entry that was deleted by hand may be pending still.
local waiting = math.max(0, length - active)
local waited = 0
if waiting > 0 then
  local oldest = redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1)[1]
  if oldest then
    waited = math.max(0, now - tonumber(string.match(oldest[1], '^%d+')))
  end
end

local due = redis.call('ZCOUNT', delayed, '-inf', now)
local late = 0
if due > 0 then
  late = now - tonumber(redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2])
end
return { waiting, waited, active, redis.call('ZCARD', delayed), due, late, redis.call('XLEN', dlq) }
