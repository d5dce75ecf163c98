-- @include lib/enter-room
-- @include lib/work-stream

-- Adds a job where it waits: to the room, if its extras name a place there, else to the end of the work stream. Says where the job
-- is, if its id is the caller's. A script that calls this ends with `tell_workers` of lib/enter-room.lua.
-- `keep`: for how many ms the id stays taken after the end of the job; nil or false if it is not the caller's.
-- Returns the entry; nil if the job is in the room.
local function add_waiting(stream, prefix, id, d, name, keep)
  local group, rank = room_place_of(d)
  if group then
    if group ~= '' and end_hold(prefix, group, member_of(name, d)) then
      rank = 0
    end
    local number = take_numbers(prefix, now_ms(), 1)
    local head = room_head(group, rank, number, keep and tonumber(keep) or -1)
    local member = put_in_room(prefix, group, head, member_of(name, d))
    if keep then
      mark_in_room(prefix, id, keep, member)
    end
    return nil
  end
  local added = add_entry(redis.call, stream, d, name, keep or nil)
  in_stream_now = in_stream_now + 1
  if keep then
    redis.call('SET', prefix .. 'dlid:' .. id, keep .. ':' .. added)
    redis.call('DEL', prefix .. 'didx:' .. id)
  end
  return added
end
