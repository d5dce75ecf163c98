-- Puts jobs into the room (lib/room.lua), and tells the workers. A script that does so makes the queue gated: its workers fetch
-- with take.lua from then on.
-- @include lib/room
-- @include lib/delayed-member
-- @include lib/wake
-- @include lib/groups

-- What this script has done so far: jobs that wait in the work stream now, and jobs that wait in the room now.
local in_stream_now, in_room_now = 0, 0

-- The keys that a script writes when it puts jobs into the room. One of the wrong type fails here, before anything is written.
local function check_room(prefix)
  redis.call('ZCARD', prefix .. 'room')
  redis.call('HLEN', prefix .. 'gate')
  redis.call('HLEN', prefix .. 'meta')
  redis.call('ZCARD', prefix .. 'slots')
  check_groups(prefix)
end

-- Puts a member into the room: what it begins with (room_head), and the member that the job would have in the delayed set.
-- Returns it.
local function put_in_room(prefix, group, head, member)
  local bytes = head .. member
  redis.call('ZADD', prefix .. 'room', 0, bytes)
  if group ~= '' then
    place_group(prefix, group)
  end
  in_room_now = in_room_now + 1
  return bytes
end

-- Says where a job is that is in the room and whose id is the caller's.
local function mark_in_room(prefix, id, keep, member)
  redis.call('SET', prefix .. 'dlid:' .. id, keep .. ':')
  redis.call('SET', prefix .. 'didx:' .. id, member)
end

-- At the end of a script: the workers learn of the jobs that can start now. The first job in the room makes the queue gated.
local function tell_workers(stream, prefix)
  if in_room_now > 0 and redis.call('HSETNX', prefix .. 'meta', 'gated', decimal(now_ms())) == 1 then
    wake_workers(stream, prefix)
    return
  end
  wake_idle(prefix, in_stream_now + in_room_now)
end
