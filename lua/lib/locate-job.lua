-- Finds a job by its id, and takes it from where it is.
-- @include lib/live-job
-- @include lib/groups

-- Where a job is. `member` and `entry`: its member in the delayed set or in the room, and its entry in the work stream, if the
-- caller has found them, else ''. Returns 'delayed' and the member; 'waiting', 'prioritized' or 'active', and the entry, or the
-- member of a job in the room; then for an active job its consumer, and for a job in the room, true. Or 'ended' if its id says
-- that it has ended; or nil, if Redis has no record of where it is, so that the caller has to search.
-- An id of '' is that of bytes that have none, or that cannot be decoded: only the place says which they are.
local function locate(stream, delayed, prefix, id, member, entry)
  if member == '' then
    member = text_of(prefix .. 'didx:' .. id)
  end
  if member and redis.call('ZSCORE', delayed, member) then
    return 'delayed', member
  elseif member and redis.call('ZSCORE', prefix .. 'room', member) then
    return state_in_room(member), member, nil, true
  end
  local has_ended = false
  if entry == '' then
    -- The marker of an id of the caller's: see add.lua. The marker of a third-party writer does not say where the job is.
    local known = string.match(text_of(prefix .. 'dlid:' .. id) or '', '^%d+:(.*)$')
    has_ended = known and redis.call('PTTL', prefix .. 'dlid:' .. id) >= 0
    entry = known or ''
  end
  if has_ended then
    return 'ended'
  elseif entry == '' or not (is_entry_of(stream, entry, id) or id == '' and redis.call('XRANGE', stream, entry, entry)[1]) then
    return nil
  end
  local state, _, consumer = state_of(stream, entry)
  if state == 'in-flight' then
    return 'active', entry, consumer
  end
  return state, entry
end

-- Takes a job out of the room.
local function leave_room(prefix, member)
  local room = prefix .. 'room'
  redis.call('ZREM', room, member)
  forget_groups(prefix, room, { [split_room_member(member).group] = true })
end

-- The id of a job that does not run any more is free at once, and nothing is kept of the job.
local function free_id(prefix, id)
  local keys = { prefix .. 'didx:' .. id, prefix .. 'dlid:' .. id }
  add_tracked(keys, prefix, id)
  delete_keys(keys)
  redis.call('SREM', prefix .. 'delayed:unique', id)
end
