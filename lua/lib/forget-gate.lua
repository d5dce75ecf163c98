-- Jobs have left the delayed set: without delayed jobs, a queue that is not gated has no use for the hash `gate`. What leaves the room
-- is take.lua's: the queue is gated then.
local function forget_gate(prefix)
  local gate = prefix .. 'gate'
  if
    redis.call('EXISTS', gate) == 1
    and redis.call('EXISTS', prefix .. 'delayed', prefix .. 'room', prefix .. 'slots') == 0
    and redis.pcall('HEXISTS', prefix .. 'meta', 'gated') == 0
  then
    redis.call('DEL', gate)
  end
end
