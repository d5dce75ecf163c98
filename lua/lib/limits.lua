-- The limits of a queue: how many jobs may start. They are fields of the hash `meta`:
--   concurrency    how many jobs may be in flight, in all workers together
--   max, duration  how many may start in any `duration` ms
--   limited        until when none may start, in unix ms
-- How many are in flight is what the pending list says. It cannot get out of step with the jobs, whatever becomes of their workers.
-- @include lib/time
-- @include lib/limit

-- A window of starts is a list of '<end>:<count>', oldest first: so many jobs had started, in all, when that part of the window
-- ended (in unix µs). Its first element is the newest part that has left the window. There are at most so many parts.
local PARTS = 1000
-- A job starts somewhat later than it is delivered. Until its worker says that it has started, it counts as a start that does not
-- leave the window: the hash `taking` has '<jobs>:<unix µs>' per worker. A worker that does not say so for this time, in µs, has died:
-- its jobs count as started then.
local MOST_TAKING = 30000000
-- Where the workers stand, the starts that are kept for jobs of dead workers: see reclaim.lua.
local KEPT = ' kept'
-- A worker has one name for its last delivery: its own. Jobs of earlier deliveries that have not started have the name of the worker, a
-- space, and what take.lua, or reclaim.lua, replied. Jobs that may have got lost on the way: the name of the worker, this, and by when
-- they had been delivered.
local LOST = ' lost '

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function part_of(element)
  local ends, count = string.match(element, '^(%d+):(%d+)$')
  return tonumber(ends), tonumber(count)
end

-- The width of a part, and for how long a part stays in the window after its end; in µs.
local function sizes_of(duration)
  return math.max(1, math.floor(duration * 1000 / PARTS)), duration * 1000
end

-- How many jobs have started in the window, in how many µs the oldest of them leave it, and in how many all have left.
local function window_use(key, duration, now)
  local width, stays = sizes_of(duration)
  local newest = redis.call('LINDEX', key, -1)
  if not newest then
    return 0, 0, 0
  end
  local newest_end, total = part_of(newest)
  if newest_end > now + width then
    -- The clock of the server was set back: these jobs count as started now.
    local _, before = part_of(redis.call('LINDEX', key, 0))
    newest_end = now + width
    redis.call('DEL', key)
    redis.call('RPUSH', key, '0:' .. decimal(before), decimal(newest_end) .. ':' .. decimal(total))
  end
  -- What has left. Each part leaves once, so these steps are paid by the starts.
  local base, oldest_end
  repeat
    local left, page = 0, redis.call('LRANGE', key, 0, 99)
    for i = 1, #page do
      local ends, count = part_of(page[i])
      if i > 1 and ends + stays > now then
        oldest_end = ends
        break
      end
      left, base = i, count
    end
    if left > 1 then
      redis.call('LTRIM', key, left - 1, -1)
    end
  until left < 100
  local used = total - base
  return used, used > 0 and oldest_end + stays - now or 0, used > 0 and newest_end + stays - now or 0
end

-- Counts so many starts.
local function window_add(key, duration, now, starts)
  local width, stays = sizes_of(duration)
  local ends = (math.floor(now / width) + 1) * width
  local newest_end, total = part_of(redis.call('LINDEX', key, -1) or '0:0')
  if newest_end == 0 then
    redis.call('DEL', key)
    redis.call('RPUSH', key, '0:0')
  end
  local element = decimal(ends) .. ':' .. decimal(total + starts)
  if newest_end == ends then
    redis.call('LSET', key, -1, element)
  else
    redis.call('RPUSH', key, element)
  end
  redis.call('PEXPIRE', key, math.ceil((width + stays) / 1000) + 1000)
end

-- How many jobs were delivered that may not have started yet, without those of one name.
local function taking_now(taking, duration, now, except)
  local jobs = 0
  local all = redis.call('HGETALL', taking)
  for i = 1, #all, 2 do
    local of, since = string.match(all[i + 1], '^(%d+):(%d+)$')
    if not of or now - since > MOST_TAKING + duration * 1000 then
      redis.call('HDEL', taking, all[i])
    elseif all[i] ~= except then
      jobs = jobs + of
    end
  end
  return jobs
end

-- When no worker comes any more, what they have not confirmed goes as soon as it counts no more. `duration`: the longest, in ms.
local function expire_taking(taking, duration)
  local ms = math.ceil(MOST_TAKING / 1000 + duration) + 1000
  if redis.call('PTTL', taking) < ms then
    -- A little more: this is not due at each start.
    redis.call('PEXPIRE', taking, decimal(ms + 10000))
  end
end

-- The jobs have started which were delivered under this name at `starts`, as text; '' = whenever that was. From now on, they are in
-- the window.
local function confirm_starts(prefix, name, limits, starts, now)
  local jobs, since = string.match(redis.call('HGET', prefix .. 'taking', name) or '', '^(%d+):(%d+)$')
  if not since or starts ~= '' and since ~= starts then
    -- Other jobs were delivered since, so these count already, or have another name.
    return
  end
  redis.call('HDEL', prefix .. 'taking', name)
  if limits and limits.max then
    window_add(prefix .. 'limit', limits.duration, now, tonumber(jobs))
  end
end

-- The jobs of the last delivery to a worker get another name, because they have not started. `taking`: the hash `taking`, or
-- `groups:taking`; `time`: the pattern of the time in its values; `starts`: when that delivery was, as text, '' = whenever.
local function set_aside(taking, consumer, time, name, starts)
  local known = redis.call('HGET', taking, consumer)
  local since = known and string.match(known, time)
  if since and (starts == '' or since == starts) then
    redis.call('HSET', taking, name, known)
    redis.call('HDEL', taking, consumer)
  end
end

-- The names under which jobs may have got lost on the way to a worker, and had been delivered before so many unix ms.
local function lost_starts(taking, consumer, before_ms)
  local lost, head = {}, consumer .. LOST
  for _, name in ipairs(redis.call('HKEYS', taking)) do
    local by = string.sub(name, 1, #head) == head and string.match(name, '^%d+$', #head + 1)
    if by and tonumber(by) <= before_ms * 1000 then
      lost[#lost + 1] = name
    end
  end
  return lost
end

-- So many jobs are delivered to a worker. Those before have started by now.
local function begin_starts(prefix, consumer, duration, now, jobs)
  local before = string.match(redis.call('HGET', prefix .. 'taking', consumer) or '', '^(%d+):')
  if before then
    window_add(prefix .. 'limit', duration, now, tonumber(before))
  end
  redis.call('HSET', prefix .. 'taking', consumer, jobs .. ':' .. decimal(now))
  expire_taking(prefix .. 'taking', duration)
end

-- So many starts are kept for jobs of dead workers.
local function keep_starts(prefix, duration, now, jobs)
  redis.call('HDEL', prefix .. 'taking', KEPT)
  if jobs > 0 then
    begin_starts(prefix, KEPT, duration, now, jobs)
  end
end

-- The limits that these fields of `meta` say, each false if it is not there; nil if there are none. Their fields are numbers, or nil.
local function limits_from(concurrency, max, duration, limited)
  if not (concurrency or max or limited) then
    return nil
  end
  local limits = { concurrency = limit_of(concurrency), limited = limit_of(limited) }
  limits.max, limits.duration = limit_of(max), limit_of(duration)
  if not (limits.max and limits.duration) then
    limits.max, limits.duration = nil, nil
  end
  return (limits.concurrency or limits.max or limits.limited) and limits or nil
end

-- The limits of a queue.
local function limits_of(meta)
  return limits_from(unpack(redis.call('HMGET', meta, 'concurrency', 'max', 'duration', 'limited')))
end

-- How many starts leave the window within `ahead` µs, and in how many µs the last of them does. Of them, `debt` are spent, and `want`
-- more are enough. Then in how many µs the first leaves that is not spent; nil = none does soon.
local function window_ahead(key, duration, now, ahead, debt, want)
  local _, stays = sizes_of(duration)
  -- window_use has removed what has left before.
  local page = redis.call('LRANGE', key, 0, 99)
  local _, base = part_of(page[1] or '0:0')
  local leaving, last, first = 0, 0, nil
  for i = 2, #page do
    local ends, count = part_of(page[i])
    local leaves_in = ends + stays - now
    if not first and count - base > debt then
      first = leaves_in
    end
    if leaves_in > ahead or leaving >= debt + want then
      break
    end
    leaving, last = count - base, leaves_in
  end
  return leaving, last, first
end

-- How many of `count` jobs may start now. Fewer than all: in how many ms more may, as text; '' if only the end of a job decides that.
-- `except`: of this name, no jobs are counted that may not have started yet.
-- `ahead`: if none may, so many may which can start within so many µs; then in how many µs they may. Without it, that is 0.
local function allowance(limits, stream, group, prefix, count, now, except, ahead)
  if limits.limited and limits.limited * 1000 > now then
    return 0, decimal(math.ceil(limits.limited - now / 1000)), 0
  end
  local wait, starts_in = '', 0
  if limits.concurrency then
    local pending = redis.call('XPENDING', stream, group)[1]
    count = math.min(count, math.max(0, limits.concurrency - pending))
  end
  if limits.max and count > 0 then
    local used, frees = window_use(prefix .. 'limit', limits.duration, now)
    local free = limits.max - used - taking_now(prefix .. 'taking', limits.duration, now, except)
    if free < count and free <= 0 and used > 0 and ahead then
      local leaving, last, first = window_ahead(prefix .. 'limit', limits.duration, now, ahead, -free, count)
      frees = math.max(1, (first or limits.duration * 1000) - ahead)
      if free + leaving > 0 then
        free, starts_in = free + leaving, last
      end
    end
    if free < count then
      count, wait = math.max(0, free), decimal(used > 0 and math.ceil(frees / 1000) or limits.duration)
    end
  end
  return count, wait, starts_in
end
