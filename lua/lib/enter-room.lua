-- Puts jobs into the room (lib/room.lua). A script that does so ends with `tell_workers`: it makes the queue gated, and its workers
-- fetch with take.lua from then on.
-- @include lib/room
-- @include lib/delayed-member
-- @include lib/tell-workers
-- @include lib/groups

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
