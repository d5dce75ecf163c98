-- Moves jobs from the head of the delayed set to the work stream, or to the room.

-- @include lib/event-batch
-- @include lib/work-stream
-- @include lib/live-job
-- @include lib/full-memory
-- @include lib/dedup
-- @include lib/enter-room
-- @include lib/forget-gate

-- The members at the head of the set that are due by `to`: at most `most` jobs, and about `most_bytes` bytes.
local function head_of(delayed, to, most, most_bytes)
  -- In pages: a member may be a megabyte. Pages of large members are smaller.
  local due, page, bytes = {}, 1, 0
  repeat
    local members = redis.call('ZRANGEBYSCORE', delayed, '-inf', to, 'LIMIT', #due, math.min(page, most - #due))
    local before = bytes
    for i = 1, #members do
      due[#due + 1] = members[i]
      bytes = bytes + #members[i]
    end
    local is_last = #members < page
    page = math.max(1, math.min(32, math.floor(1048576 * page / (bytes - before + 1))))
  until is_last or #due >= most or bytes >= most_bytes
  return due
end

-- Of these jobs, by index: those that are parked until another job has ended, and have to wait on (lib/dedup.lua). Moves them
-- back in the set. nil if there is none. `ends_delays`: they do not wait for delays of their own any more.
local function hold_back(due, ids, delayed, stream, prefix, now, ends_delays)
  local parked = prefix .. 'dedup:parked'
  if redis.call('EXISTS', parked) == 0 then
    return nil
  end
  local stays
  local dedups = redis.pcall('HMGET', parked, unpack(ids))
  for i = 1, #dedups do
    local key = dedups[i] and dedup_key(prefix, dedups[i])
    local job, next_job = nil, nil
    if key then
      job, next_job = holder_of(key)
    end
    if job and next_job == ids[i] and life_of(stream, delayed, prefix, job) == 'live' then
      redis.call('ZADD', delayed, 'XX', decimal(now + PARKED_MS), due[i])
      if ends_delays then
        redis.call('HDEL', key, 'due')
      end
      stays = stays or {}
      stays[i] = true
    elseif key then
      redis.call('HDEL', parked, ids[i])
      if next_job == ids[i] then
        redis.call('HSET', key, 'job', ids[i])
        redis.call('HDEL', key, 'next', 'due')
      end
    end
  end
  return stays
end

-- Moves these members, which are the head of the set, and announces the jobs. Returns how many were moved; then the error
-- reply of the stream, if it did not accept all of them; then whether some of the ids are the caller's.
-- `ends_delays`: see hold_back.
local function promote_head(due, delayed, stream, events, prefix, cap, batch_from, now, ends_delays)
  allow_writes_at_memory_limit(prefix)

  local names, bodies, ids = {}, {}, {}
  local read, sub = struct.unpack, string.sub
  local function read_members(from)
    for i = from, #due do
      local member = due[i]
      -- The name, and the heads of the Job's array and of a short id: see lib/envelope.lua.
      local name, array, head, at = read('<I4c0BB', member)
      local d, id = sub(member, at - 2), ''
      if (array == 0x94 or array == 0x95) and head >= 0xa0 and head <= 0xbf then
        id = sub(member, at, at + head - 0xa1)
      else
        id = job_id_of(d) or ''
      end
      names[i], bodies[i], ids[i] = name, d, id
    end
  end
  local from = 1
  while not pcall(read_members, from) do
    -- Bytes that are no delayed member are moved as they are. The worker that reads them dead-letters them, so they do not
    -- block the jobs behind them.
    from = #names + 1
    names[from], bodies[from], ids[from] = '', due[from], ''
    from = from + 1
  end

  -- By index: whether the id is the caller's, and for how long it stays taken (see add.lua). A batch has 5,000 jobs at most, so
  -- these lists stay below 8,000 values, where `unpack` fails.
  local unique, dlid = prefix .. 'delayed:unique', prefix .. 'dlid:'
  local any_unique = #due > 0 and redis.call('EXISTS', unique) == 1
  local is_unique, keeps = {}, {}
  local stays = any_unique and hold_back(due, ids, delayed, stream, prefix, now, ends_delays)
  if stays then
    local jobs = 0
    for i = 1, #due do
      if not stays[i] then
        jobs = jobs + 1
        due[jobs], names[jobs], bodies[jobs], ids[jobs] = due[i], names[i], bodies[i], ids[i]
      end
    end
    for i = #due, jobs + 1, -1 do
      due[i], names[i], bodies[i], ids[i] = nil, nil, nil, nil
    end
  end
  if any_unique and #due > 0 then
    is_unique = redis.call('SMISMEMBER', unique, unpack(ids))
    local positions, markers = {}, {}
    for i = 1, #due do
      if is_unique[i] == 1 then
        positions[#positions + 1] = i
        markers[#markers + 1] = dlid .. ids[i]
      end
    end
    local values = #markers > 0 and redis.call('MGET', unpack(markers)) or {}
    for p = 1, #positions do
      keeps[positions[p]] = values[p]
    end
  end

  local promoted = 0
  -- Of jobs whose id is the caller's: the ids; and keys to delete, which locate a delayed job or are left from an earlier job of
  -- the id.
  local left, indices = {}, {}
  -- Markers that say where their jobs are (see add.lua), and their new values. Markers of third-party writers stay as they are.
  local moved = {}
  local failure
  -- While this key exists, delayed jobs may have a place in the room.
  local has_places = #due > 0 and redis.call('EXISTS', prefix .. 'gate') == 1
  local number, has_slots
  if has_places then
    check_room(prefix)
    has_slots = redis.call('EXISTS', prefix .. 'slots') == 1
  end
  for i = 1, #due do
    local name, d, keep = names[i], bodies[i], keeps[i]
    local ours = keep and string.match(keep, '^(%d+):')
    keep = ours or keep
    local group, rank
    if has_places then
      group, rank = room_place_of(d)
    end
    local added, member
    if group then
      if group ~= '' and has_slots and end_hold(prefix, group, due[i]) then
        -- It goes on before all others of its group.
        rank = 0
      end
      number = number and number + 1 or take_numbers(prefix, now, #due)
      member = put_in_room(prefix, group, room_head(group, rank, number, ours and tonumber(ours) or -1), due[i])
    else
      added = add_entry(redis.pcall, stream, d, name, keep)
      if added.err then
        failure = added
        break
      end
      in_stream_now = in_stream_now + 1
    end
    promoted = i
    if is_unique[i] == 1 then
      left[#left + 1] = ids[i]
      if member then
        moved[#moved + 1] = prefix .. 'didx:' .. ids[i]
        moved[#moved + 1] = member
      else
        indices[#indices + 1] = prefix .. 'didx:' .. ids[i]
      end
      add_remains(indices, prefix, ids[i])
      if ours and added then
        moved[#moved + 1] = dlid .. ids[i]
        moved[#moved + 1] = ours .. ':' .. added
      end
    end
  end
  if stays then
    -- Jobs that were moved back may stand between them.
    for from = 1, promoted, 4000 do
      redis.call('ZREM', delayed, unpack(due, from, math.min(from + 3999, promoted)))
    end
  elseif promoted > 0 then
    -- The jobs that were read are at the head of the set, in this order.
    redis.call('ZREMRANGEBYRANK', delayed, 0, promoted - 1)
  end
  for from = 1, #moved, 4000 do
    redis.call('MSET', unpack(moved, from, math.min(from + 3999, #moved)))
  end
  if #left > 0 then
    redis.call('SREM', unique, unpack(left))
    delete_keys(indices)
  end
  tell_workers(stream, prefix)
  if has_places then
    forget_gate(prefix)
  end
  if cap > 0 and promoted > 0 then
    -- If the stream accepted only some jobs, only these have an event.
    for i = #due, promoted + 1, -1 do
      names[i], ids[i] = nil, nil
    end
    local columns = { 'ids', cjson.encode(ids) }
    local name = names[1]
    for i = 2, promoted do
      if names[i] ~= name then
        name = nil
        break
      end
    end
    if name ~= '' then
      columns[3], columns[4] = name and 'n' or 'names', name or cjson.encode(names)
    end
    announce_jobs(events, prefix, cap, batch_from, decimal(now), 'waiting', promoted, promoted, columns, {})
  end
  return promoted, failure, any_unique
end
