-- Adds jobs to the work stream, to the room (lib/room.lua), or to the delayed set. A call carries any number of groups. A group is what one `add` or
-- `addBulk` of the user asked for; it is accepted or refused as a whole.
--
-- KEYS stream delayed events promoterWake calls prefix
-- ARGV 1 sequence    the number of this call, counted by its producer
--      2 max_len     capacity of the work stream; 0 = unlimited. If some of the jobs go to the room, the jobs there count too
--      3 events_cap  0 = no events
--      4 flags       'd': some of the jobs are delayed; 't': prolong Redis's memory of this producer's calls; 'b': the events
--                    of all jobs share an entry (see lib/event-batch.lua); 'p': some of the jobs go to the room, now or when they
--                    are due; 'k': some of the jobs have a deduplication id
--      5 groups      one big-endian u32 per group: the number of its jobs
--      6 parts       how many strings follow with the frames of the jobs; then these. Several, because a server may accept
--                    strings of 1 MB at most; no frame is cut. A frame: u8 flags (1 delayed, 2 absolute time, 4 unique, 8 with
--                    4: the id is new, so no job can have had it, 16 with 8: it has a deduplication id, 32 goes to the room now), u16
--                    index of the name, u32 length, the msgpack Job; then, if delayed, a double: ms from now, or unix ms;
--                    then, if unique, a double: for how many ms the id stays taken after the job has ended; then, with 16, u8
--                    modes (lib/deduplicate.lua), a double: the ttl in ms, 0 = none, u16 length and deduplication id; then, if
--                    it goes to the room, u16 length and the group, '' = none; u32: the rank; u32: how many jobs may wait in
--                    the group, 0 = any number
--      with 'b': the event, how many strings follow with the columns of the events, and these
--      names         distinct dispatch names; the index counts from 0
-- Reply the length of the work stream, if all jobs were added and none is delayed; else
--      { that length, { refused groups }, { duplicate jobs }, due, { full… }, { job ids } }: groups and jobs are counted from 0; due
--      is the unix ms of the earliest delayed job, '' if there is none; full: in turns, a group that was refused because the group of a
--      job is full, the first job of it that does not fit, and how many jobs wait in the group of that job. The ids belong to
--      the duplicate jobs: which job has the deduplication id of each; '' = it is a duplicate by its own id. The list is empty if
--      all are.
--
-- Races
--   Sent twice, reply lost: it adds once (lib/call-dedup.lua), and the second call gets the reply of the first.
--   Two adds of one id: they meet in the marker `dlid:<id>`, whatever path each takes. Its value is `<ms>:<entry id>`: for how
--     long the id stays taken, and where the job is, so that it can be cancelled. Nothing follows the colon while the job is
--     delayed; then the set `delayed:unique` contains the id, because the promoter needs the marker and cannot look one up
--     for every job. A marker whose job is gone takes no id (lib/live-job.lua).
--   Two adds of one deduplication id: they meet in the hash `dedup:<id>` (lib/dedup.lua).
--   Rolled back: a failover that lost the add also lost its number, so the client's second call adds the jobs.
--   Memory full: the limit refuses the call as a whole, before anything is written.

-- @include lib/events
-- @include lib/event-batch
-- @include lib/time
-- @include lib/work-stream
-- @include lib/envelope
-- @include lib/delayed-member
-- @include lib/call-dedup
-- @include lib/tell-workers
-- @seldom lib/live-job
-- @seldom lib/enter-room
-- @seldom lib/deduplicate
-- @seldom lib/result-waiters
-- @seldom lib/seal

local stream, delayed, events, wake, calls, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local sequence, max_len, cap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local sizes = ARGV[5]
-- The position behind the frames.
local rest_at = 7 + ARGV[6]
local batched = string.find(ARGV[4], 'b', 1, true)
local names_at = batched and rest_at + 2 + ARGV[rest_at + 1] or rest_at
-- The cap for events that are written job by job.
local each_cap = batched and 0 or cap
local any_delayed, prolong = string.find(ARGV[4], 'd', 1, true), string.find(ARGV[4], 't', 1, true)
local any_room = string.find(ARGV[4], 'p', 1, true)
local unpack_frame = struct.unpack

-- Reads first: a key of the wrong type fails here, before anything is written.
local length = redis.call('XLEN', stream)
local head = any_delayed and redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
-- How many jobs wait, as far as the capacity is concerned.
local waiting = length
if any_room then
  check_room(prefix)
  if max_len > 0 then
    waiting = length + redis.call('ZCARD', prefix .. 'room')
  end
end
local any_dedup = string.find(ARGV[4], 'k', 1, true)
if any_dedup then
  redis.call('SCARD', prefix .. 'delayed:unique')
  -- Before a job is replaced.
  local sealed = seal_of(stream)
  if sealed then
    return sealed
  end
end

local is_first, too_late = is_first_time(calls, sequence, prolong)
if too_late then
  return too_late
end
if not is_first then
  local said = redis.call('GET', calls .. ':' .. sequence % 1024)
  local of, answer = string.match(said or '', '^(%d+) (.*)$')
  if of == ARGV[1] then
    return cjson.decode(answer)
  end
  return length
end

-- If no job is delayed, the id of the first entry gives the time.
local now, ts
if any_delayed or any_dedup then
  now = now_ms()
  ts = decimal(now)
end
local refused, duplicates, full = {}, {}, {}
-- Only with deduplication ids: the jobs that have them, by the position among the duplicates; jobs that were replaced; and
-- the events of jobs that met another job: job id, name, deduplication id, id of the other job.
local holders, replaced, met
if any_dedup then
  holders, replaced, met = {}, {}, {}
end
local any_holder = false
-- What to undo if the stream is sealed (see lib/seal.lua): then the first XADD fails, and none has succeeded.
local keys, members, placed = {}, {}, {}
-- The markers of this call's jobs, as a set. The markers of jobs in the stream and the ids of delayed jobs are written at the
-- end.
local taken, markers, delayed_ids = {}, {}, {}
-- Ids that were given by a caller: an earlier job may have had them.
local lives = {}
local function undo()
  for _, key in ipairs(keys) do
    redis.call('DEL', key)
  end
  for _, member in ipairs(members) do
    redis.call('ZREM', delayed, member)
  end
  for i = 1, #placed, 2 do
    redis.call('ZREM', prefix .. 'room', placed[i])
    forget_groups(prefix, prefix .. 'room', { [placed[i + 1]] = true })
  end
  forget_call(calls, sequence)
end
local earliest
-- The number of the job that was put into the room last. A call has 2,000 jobs at most.
local number
-- Jobs that were not added, by index from 1.
local left_out = {}
-- The string that is being read, its index among the arguments, and the position in it.
local jobs, part, at = ARGV[7], 7, 1
local job, group = 0, 0
for offset = 1, #sizes, 4 do
  local size = unpack_frame('>I4', sizes, offset)
  -- Only jobs that go to the stream now take room there. If the bound might be exceeded, the script counts them first.
  local fits = true
  if any_room or (max_len > 0 and waiting + size > max_len) then
    local immediate, ahead, ahead_part, from = 0, jobs, part, at
    local seen, seen_dedup, sizes_of = {}, {}, {}
    for i = 0, size - 1 do
      if from > #ahead then
        ahead_part = ahead_part + 1
        ahead, from = ARGV[ahead_part], 1
      end
      local flags, _, len = unpack_frame('>I1I2I4', ahead, from)
      local is_fresh = true
      if flags % 8 >= 4 and flags % 16 < 8 then
        -- A job whose id is in use takes no room.
        local id = job_id_of(string.sub(ahead, from + 7, from + 6 + len))
        is_fresh = not seen[id] and not taken[prefix .. 'dlid:' .. id] and not life_of(stream, delayed, prefix, id)
        seen[id] = true
      end
      from = from + 7 + len + (flags % 2) * 8 + (flags % 8 >= 4 and 8 or 0)
      if flags % 32 >= 16 then
        -- A job that replaces another one is delayed, and takes no room either.
        local _, _, dedup, behind = unpack_frame('>I1dI2c0', ahead, from)
        local key = dedup_key(prefix, dedup)
        is_fresh = not seen_dedup[dedup] and not is_dedup_taken(stream, delayed, prefix, key, (holder_of(key)))
        seen_dedup[dedup], from = true, behind
      end
      if is_fresh and flags % 2 == 0 then
        immediate = immediate + 1
      end
      if flags >= 32 then
        local of, most, _
        of, _, most, from = unpack_frame('>I2c0I4I4', ahead, from)
        if is_fresh and most > 0 and fits then
          local from_group, to_group = group_bounds(of)
          local there = sizes_of[of] or redis.call('ZLEXCOUNT', prefix .. 'room', from_group, to_group)
          fits = there < most
          sizes_of[of] = there + 1
          if not fits then
            full[#full + 1], full[#full + 2], full[#full + 3] = group, job + i, there
          end
        end
      end
    end
    fits = fits and (max_len == 0 or immediate == 0 or waiting + immediate <= max_len)
  end
  if not fits then
    refused[#refused + 1] = group
    for i = job + 1, job + size do
      left_out[i] = true
    end
  end

  for _ = 1, size do
    if at > #jobs then
      part = part + 1
      jobs, at = ARGV[part], 1
    end
    local flags, name_index, len = unpack_frame('>I1I2I4', jobs, at)
    local has_dedup = flags % 32 >= 16
    local d = string.sub(jobs, at + 7, at + 6 + len)
    at = at + 7 + len
    local is_delayed, is_unique = flags % 2 == 1, flags % 8 >= 4
    local time, keep, of, rank
    if is_delayed then
      time = unpack_frame('>d', jobs, at)
      at = at + 8
    end
    if is_unique then
      keep = decimal(unpack_frame('>d', jobs, at))
      at = at + 8
    end
    local modes, ttl, dedup
    if has_dedup then
      modes, ttl, dedup, at = unpack_frame('>I1dI2c0', jobs, at)
    end
    if flags >= 32 then
      of, rank, _, at = unpack_frame('>I2c0I4I4', jobs, at)
    end

    if fits then
      local id = (each_cap > 0 or is_unique) and job_id_of(d)
      local name = ARGV[names_at + name_index]
      local fresh, marker, holder = true, nil, nil
      local due = is_delayed and math.floor(time)
      if is_delayed and flags % 4 < 2 then
        due = now + due
      end
      if has_dedup then
        local member = member_of(name, d)
        local new = { id = id, member = member, dedup = dedup, modes = modes, ttl = ttl, due = due or now, now = now }
        local before, other_name, moved_to
        holder, before, other_name, moved_to = deduplicate(stream, delayed, prefix, new)
        fresh = not holder
        if before then
          replaced[#replaced + 1] = before
          if cap > 0 then
            write_event(events, 'removed', before, ts, other_name, 'prev', 'delayed')
          end
        end
        if cap > 0 and (holder or before) then
          met[#met + 1] = { id, name, dedup, holder or before }
        end
        if moved_to then
          earliest = math.min(earliest or moved_to, moved_to)
          if cap > 0 then
            write_event(events, 'delayed', holder, ts, other_name, 'delay_ms', decimal(moved_to - now))
          end
        end
      end
      if is_unique then
        marker = prefix .. 'dlid:' .. id
        if flags % 16 < 8 then
          fresh = not taken[marker] and not life_of(stream, delayed, prefix, id)
          if fresh then
            lives[#lives + 1] = id
          end
        end
        taken[marker] = true
      end
      if not fresh then
        duplicates[#duplicates + 1] = job
        if any_dedup then
          holders[#duplicates] = holder or ''
          any_holder = any_holder or holder
        end
        left_out[job + 1] = true
      elseif is_delayed then
        local member = member_of(name, d)
        redis.call('ZADD', delayed, decimal(due), member)
        members[#members + 1] = member
        if is_unique then
          redis.call('SET', marker, keep .. ':')
          redis.call('SET', prefix .. 'didx:' .. id, member)
          keys[#keys + 1] = marker
          keys[#keys + 1] = prefix .. 'didx:' .. id
          if has_dedup then
            -- At once: the next job of this call may replace it.
            redis.call('SADD', prefix .. 'delayed:unique', id)
          else
            delayed_ids[#delayed_ids + 1] = id
          end
        end
        if not earliest or due < earliest then
          earliest = due
        end
        if each_cap > 0 then
          write_event(events, 'delayed', id, ts, name, 'delay_ms', decimal(math.max(due - now, 0)))
        end
      elseif rank then
        waiting = waiting + 1
        number = number and number + 1 or take_numbers(prefix, now_ms(), 2000)
        local head_of_it = room_head(of, rank, number, keep and tonumber(keep) or -1)
        local member = put_in_room(prefix, of, head_of_it, struct.pack('<I4', #name) .. name .. d)
        placed[#placed + 1], placed[#placed + 2] = member, of
        if is_unique then
          mark_in_room(prefix, id, keep, member)
          keys[#keys + 1] = marker
          keys[#keys + 1] = prefix .. 'didx:' .. id
        end
        if each_cap > 0 then
          ts = ts or decimal(now_ms())
          write_event(events, 'waiting', id, ts, name)
        end
      else
        length, waiting = length + 1, waiting + 1
        in_stream_now = in_stream_now + 1
        local added = add_entry(redis.pcall, stream, d, name, keep)
        if added.err then
          undo()
          return added
        end
        if has_dedup then
          -- At once: the next job of this call may have the same id.
          redis.call('SET', marker, keep .. ':' .. added)
        elseif is_unique then
          markers[#markers + 1] = marker
          markers[#markers + 1] = keep .. ':' .. added
        end
        if each_cap > 0 then
          ts = ts or string.match(added, '^%d+')
          write_event(events, 'waiting', id, ts, name)
        end
      end
    end
    job = job + 1
  end
  group = group + 1
end

-- A call has 2,000 jobs at most, so these lists stay below 8,000 values, where `unpack` fails.
if #markers > 0 then
  redis.call('MSET', unpack(markers))
end
if #lives > 0 then
  forget_lives(prefix, lives)
end
if any_dedup then
  tell_gone(prefix, 'removed', replaced)
end
if #delayed_ids > 0 then
  -- The jobs are added, even if somebody has written a key of another type.
  redis.pcall('SADD', prefix .. 'delayed:unique', unpack(delayed_ids))
end
tell_workers(stream, prefix)
if any_room and not number then
  -- Promotion looks for places in the room only if the key `gate` exists.
  take_numbers(prefix, now_ms(), 1)
end
if earliest and (not head[2] or earliest < tonumber(head[2])) then
  -- The jobs are added, even if the wake key has the wrong type.
  redis.pcall('XADD', wake, 'MAXLEN', 1, '*', 'due', decimal(earliest))
end
if batched then
  local columns = { unpack(ARGV, rest_at + 2, names_at - 1) }
  announce_jobs(events, prefix, cap, 1, ts or decimal(now_ms()), ARGV[rest_at], job, job, columns, left_out)
-- Trimming costs as much as an event, so not each add of one job trims.
elseif cap > 0 and (job >= 16 or sequence % 16 == 0) then
  trim_events(events, cap)
end
if any_dedup and #met > 0 then
  announce_met(events, prefix, cap, batched and 16 or 0, ts, met)
end
if not earliest and #refused == 0 and #duplicates == 0 then
  return length
end
local reply = { length, refused, duplicates, earliest and decimal(earliest) or '', full, any_holder and holders or {} }
if #refused > 0 or #duplicates > 0 then
  -- cjson writes an empty list as {}, and reads it back as an empty table, as the reply needs it.
  redis.call('SET', calls .. ':' .. sequence % 1024, ARGV[1] .. ' ' .. cjson.encode(reply), 'PX', 600000)
end
return reply
