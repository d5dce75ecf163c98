-- Tells workers of the jobs that a script has added, where they wait.
-- @include lib/time
-- @include lib/wake-idle
-- @seldom lib/wake

-- What this script has done so far: jobs that wait in the work stream now, and jobs that wait in the room now.
local in_stream_now, in_room_now = 0, 0

-- At the end of a script: the workers learn of the jobs that can start now. The first job in the room makes the queue gated.
local function tell_workers(stream, prefix)
  if in_room_now > 0 and redis.call('HSETNX', prefix .. 'meta', 'gated', decimal(now_ms())) == 1 then
    wake_workers(stream, prefix)
    return
  end
  wake_idle(prefix, in_stream_now + in_room_now)
end
