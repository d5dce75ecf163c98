-- Fires slots of repeatable specs: adds their jobs to the work stream and moves each spec on to its next slot, or
-- removes it after its last.
--
-- KEYS repeat stream delayed events prefix calls
-- ARGV 1 events_cap   0 = no events
--      then, per spec: key, slot, revision (both as they were read), next slot ('' = none, it is over), owed ('' =
--      nothing), how many slots to fire, and these, in unix ms
--      then call (see answer.lua)
-- Reply { per spec: how many jobs were added, -1 = it has moved on since it was read, and nothing was done }
--
-- Races: the slot is compared and replaced in one step, so of two schedulers only the first fires (and of one call
-- sent twice, which answers twice what it did); a spec that was replaced or removed after it was read is left alone. The ids of the jobs follow from key and
-- slot. With `overlap` = skip all jobs of a spec share one id, whose marker `dlid:<id>` stands for as long as one of
-- them is unfinished; a slot that finds it has been dealt with.

-- @include lib/live
-- @include lib/answer
-- @include lib/repeat-gone
-- @include lib/events
-- @include lib/job

local set, stream, delayed, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local cap, call = tonumber(ARGV[1]), ARGV[#ARGV]

local said = answered(calls, call)
if said then
  return said
end

-- A key of the wrong type fails here, before anything is written.
redis.call('XLEN', stream)
local now = now_ms()
local ts = decimal(now)
local reply, remains = {}, {}

local function add(id, name, payload, retry, keep)
  local fields = { 'd', encode_job(id, payload, now, retry) }
  if name ~= '' then
    fields[3], fields[4] = 'n', name
  end
  if keep then
    fields[#fields + 1] = 'u'
    fields[#fields + 1] = keep
  end
  local added = redis.call('XADD', stream, '*', unpack(fields))
  add_remains(remains, prefix, id)
  if cap > 0 then
    if name == '' then
      redis.pcall('XADD', events, '*', 'e', 'waiting', 'id', id, 'ts', ts)
    else
      redis.pcall('XADD', events, '*', 'e', 'waiting', 'id', id, 'ts', ts, 'n', name)
    end
  end
  return added
end

local at = 2
while at < #ARGV do
  local key, slot, revision, next_slot, owed = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local slots = tonumber(ARGV[at + 5])
  local hash = prefix .. 'repeat:spec:' .. key
  local score = redis.call('ZSCORE', set, key)
  local spec = redis.call('HMGET', hash, 'revision', 'name', 'payload', 'retry', 'limit', 'fired', 'overlap')
  local added = -1
  if score and tonumber(score) == tonumber(slot) and (spec[1] or '') == revision then
    local limit, fired = tonumber(spec[5] or math.huge), tonumber(spec[6] or 0)
    added = 0
    for i = at + 6, at + 5 + slots do
      if fired + added < limit then
        if spec[7] == 'skip' then
          local id = 'repeat:' .. key
          if life_of(stream, delayed, prefix, id) ~= 'live' then
            local entry = add(id, spec[2], spec[3], spec[4], '1')
            redis.call('SET', prefix .. 'dlid:' .. id, '1:' .. entry)
            added = added + 1
          end
        else
          add('repeat:' .. key .. ':' .. ARGV[i], spec[2], spec[3], spec[4])
          added = added + 1
        end
      end
    end
    if next_slot == '' or fired + added >= limit then
      redis.call('ZREM', set, key)
      redis.call('DEL', hash)
      remember_gone(prefix, key)
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
forget(remains)
if cap > 0 then
  trim_events(events, cap)
end
return answer(calls, call, reply)
