-- The parts of take.lua for jobs without a group.
-- @include lib/take-entries
-- @include lib/stream-info

-- A worker that does not know yet that the queue is gated may still read the stream. It learns of that within so many ms.
local LEARNED_MS = 2000
-- At most so many entries in `ahead` are stepped over by one call.
local MOST_STEPS = 100

-- The last entry that was delivered to the group.
local function delivered_id(fetch)
  for _, of in ipairs(groups_of(fetch.stream)) do
    if of.name == fetch.group then
      return of['last-delivered-id']
    end
  end
  return '0-0'
end

-- Delivers entries that wait in the stream, and steps over those that were delivered ahead of them. Returns whether none waits any
-- more.
local function take_waiting(fetch, most)
  local stream, ahead = fetch.stream, fetch.prefix .. 'ahead'
  local steps = 0
  local next_ahead = redis.call('LINDEX', ahead, 0)
  while next_ahead and most > 0 and steps < MOST_STEPS do
    local last = delivered_id(fetch)
    -- Else somebody else wrote it, or reads have come to it.
    if string.match(next_ahead, '^%d+%-%d+$') and is_before(last, next_ahead) then
      local between = #redis.call('XRANGE', stream, '(' .. last, '(' .. next_ahead, 'COUNT', most)
      if between > 0 then
        most = most - deliver(fetch, between)
      end
      if most == 0 then
        return false
      end
      redis.call('XGROUP', 'SETID', stream, fetch.group, next_ahead)
    end
    redis.call('LPOP', ahead)
    steps = steps + 1
    next_ahead = redis.call('LINDEX', ahead, 0)
  end
  if next_ahead or most == 0 then
    return false
  end
  return deliver(fetch, most) < most
end

-- The jobs at the head of the room that have no group, out of it; `with_lifo`: only those with lifo.
local function leave_head(fetch, most, with_lifo)
  local begins = with_lifo and '\0\0\0\0\0\0' or '\0\0'
  local members = redis.call('ZRANGEBYLEX', fetch.room, '[' .. begins, '(' .. string.sub(begins, 2) .. '\1', 'LIMIT', 0, most)
  if #members > 0 then
    redis.call('ZREMRANGEBYLEX', fetch.room, '-', '[' .. members[#members])
  end
  return members
end

-- Returns the error reply of the stream, if it accepts no entries.
local function take_lifo(fetch, most)
  local first = redis.call('ZRANGE', fetch.room, 0, 0)[1]
  if not first or string.sub(first, 1, 6) ~= '\0\0\0\0\0\0' then
    return
  end
  local last = delivered_id(fetch)
  local waits = #redis.call('XRANGE', fetch.stream, '(' .. last, '+', 'COUNT', 1) > 0
  if waits and (not fetch.gated or fetch.now - fetch.gated < LEARNED_MS) then
    return
  end
  if waits then
    -- A key of the wrong type fails here, before anything is written.
    redis.call('LLEN', fetch.prefix .. 'ahead')
  end
  local members = leave_head(fetch, most, true)
  local entries, failure = add_entries(fetch, members)
  deliver_added(fetch, entries, members, not waits)
  if waits and #entries > 0 then
    redis.call('RPUSH', fetch.prefix .. 'ahead', unpack(entries))
  end
  return failure
end

-- The same. All entries of the stream were delivered.
local function take_prioritized(fetch, most)
  local members = leave_head(fetch, most, false)
  local entries, failure = add_entries(fetch, members)
  deliver_added(fetch, entries, members, true)
  return failure
end
