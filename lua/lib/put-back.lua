-- @include lib/add-again
-- @include lib/enter-room
-- @include lib/pages

-- Puts the job of an entry back: in its place in the room, if it came from there, else at the end of the work stream. `entry`: its id.
-- `fields` and `bytes`: see add_again. A script that calls this ends with `tell_workers` of lib/enter-room.lua.
local function put_back(stream, prefix, entry, fields, bytes)
  local head = field_of(fields, 'r')
  local d = bytes ~= '' and bytes or field_of(fields, 'd')
  local member = head and d and head .. member_of(field_of(fields, 'n') or '', d)
  local place = member and split_room_member(member)
  -- Somebody else's field says no place.
  if not place or place.head ~= head or place.is_other then
    in_stream_now = in_stream_now + 1
    return add_again(stream, prefix, fields, bytes)
  end
  -- Searches learn that a job has come in.
  take_numbers(prefix, now_ms(), 1)
  if place.group ~= '' then
    redis.pcall('ZREM', prefix .. 'slots', slot_of(place.group, entry))
  end
  put_in_room(prefix, place.group, head, string.sub(member, #head + 1))
  local keep, id = field_of(fields, 'u'), job_id_of(d)
  if keep and id then
    redis.call('SET', prefix .. 'dlid:' .. id, keep .. ':', 'XX', 'KEEPTTL')
    redis.call('SET', prefix .. 'didx:' .. id, member)
  end
end
