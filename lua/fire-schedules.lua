-- Fires slots of schedules: adds their jobs to the work stream, or to the room, and moves each schedule on to its next slot or removes it
-- after its last.
--
-- KEYS repeat stream delayed events prefix calls
-- ARGV 1 events_cap   0 = no events
--      per schedule: key; slot and revision, both as they were read; next slot, '' = none, it is over; owed, '' = nothing;
--                   how many slots to fire, and these, in unix ms
--      call         see lib/call-replies.lua
-- Reply { per schedule: how many jobs were added; -1 = it has moved on since it was read, and nothing was done }
--
-- Races
--   Two schedulers: the slot is compared and replaced in one step, so only the first fires.
--   Replaced or removed after it was read: the revision differs, and the schedule is left alone.
--   Overlap: the ids of the jobs follow from key and slot. With `overlap` = skip, all jobs of a schedule share one id, whose
--     marker `dlid:<id>` stands while one of them is unfinished. A slot that finds the marker adds no job.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: the limit refuses the first XADD, and the slots stay due.

-- @include lib/live-job
-- @include lib/call-replies
-- @include lib/removed-schedules
-- @include lib/events
-- @include lib/time
-- @include lib/add-waiting
-- @include lib/encode-job

local set, stream, delayed, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local cap, call = tonumber(ARGV[1]), ARGV[#ARGV]

local said = kept_reply(calls, call)
if said then
  return said
end

-- A key of the wrong type fails here, before anything is written.
redis.call('XLEN', stream)
check_room(prefix)
local now = now_ms()
local ts = decimal(now)
local reply, lives = {}, {}

local function add(id, schedule, keep)
  local name = schedule[2]
  local job = encode_job(id, schedule[3], now, schedule[4], schedule[8])
  add_waiting(stream, prefix, id, job, name, keep)
  lives[#lives + 1] = id
  if cap > 0 then
    write_event(events, 'waiting', id, ts, name)
  end
end

local at = 2
while at < #ARGV do
  local key, slot, revision, next_slot, owed = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local slots = tonumber(ARGV[at + 5])
  local hash = prefix .. 'repeat:spec:' .. key
  local score = redis.call('ZSCORE', set, key)
  local schedule = redis.call('HMGET', hash, 'revision', 'name', 'payload', 'retry', 'limit', 'fired', 'overlap', 'extras', 'tracked')
  local added = -1
  if score and tonumber(score) == tonumber(slot) and (schedule[1] or '') == revision then
    local limit, fired = tonumber(schedule[5] or math.huge), tonumber(schedule[6] or 0)
    added = 0
    for i = at + 6, at + 5 + slots do
      if fired + added < limit then
        if schedule[7] == 'skip' then
          local id = 'repeat:' .. key
          if life_of(stream, delayed, prefix, id) ~= 'live' then
            add(id, schedule, '1')
            added = added + 1
          end
        else
          -- The id of a tracked job is located like an id of the caller's. It is free as soon as the job has ended.
          add('repeat:' .. key .. ':' .. ARGV[i], schedule, schedule[9] and '0')
          added = added + 1
        end
      end
    end
    if next_slot == '' or fired + added >= limit then
      redis.call('ZREM', set, key)
      redis.call('DEL', hash)
      remember_removed(prefix, key)
    else
      redis.call('ZADD', set, next_slot, key)
      if added > 0 then
        redis.call('HINCRBY', hash, 'fired', added)
      end
      if owed == '' then
        redis.call('HDEL', hash, 'owed')
      else
        redis.call('HSET', hash, 'owed', owed)
      end
    end
  end
  reply[#reply + 1] = added
  at = at + 6 + slots
end
forget_lives(prefix, lives)
tell_workers(stream, prefix)
if cap > 0 then
  trim_events(events, cap)
end
return keep_reply(calls, call, reply)
