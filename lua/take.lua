-- Fetches jobs for a worker of a gated queue: decides how many may start, moves the best ones from the room to the work stream,
-- and delivers them.
--
-- KEYS stream room meta gate prefix
-- ARGV 1 group  2 consumer  3 count   how many jobs can start here now
--      4 before    `starts` of the last reply that has arrived; '' = that was confirmed, or there is none
--      5 late      '1' = some of its jobs have not started; '' = all have
--      6 lost      '1' = a reply since may be lost, and its jobs with it
--      7 more      so many more may wait here until they can start
-- Reply { part…, { 'gate', { { '0-0', { 'wait', ms, 'open', open, 'starts', id, 'in', us, 'far', far } } } } }, in the shape of a reply
--        of XREADGROUP.
--        A part:
--        { stream, { entries } }  entries of the stream
--        { 'named', { entry id, d, n, … } }  the same, of entries that have no other fields
--        { 'room', { entry id, member, … } }  jobs of the room, as they were there: see lib/room.lua
--      wait: ask again after so many ms, '' = when woken; open: '1' = the queue is not gated any more.
--      starts: pass it to confirm-starts.lua, or to the next call, as soon as these jobs have started; '' = starts are not counted.
--      in: the jobs may not start earlier than so many µs after this.
--      far: '1' = of `more`, all that wait were given; '0' = no job may wait in a worker; '' = those that do may stay.
--
-- The order: lifo; jobs of the work stream; priorities; groups in turns. A job of the room gets an entry at the end of the
-- stream, and is claimed. All entries before it were delivered by then, so no read comes to it. Only a job with lifo
-- overtakes entries that wait: its entry is in the list `ahead` until reads come to it and step over it.
--
-- The rate limit of a queue: the way to the worker and back would be lost time in each window. So the starts that become free within
-- AHEAD_US are given out before. Not where jobs of the room wait, because a better one may come in the meantime.
--
-- Jobs wait in a worker only if no order and no limit can be hurt by it: nothing has been in the room for a while, the queue has no
-- limit but that of starts, and this allows twice as many as are asked for. Then the queue is like one that is not gated: the first job
-- in the room wakes its workers, and they give back what waits there.
--
-- Races
--   Two workers: a job leaves the room, and counts as in flight, in the step in which it is delivered.
--   Reply lost: the jobs are pending for the worker, and its heartbeat finds them. They count as starts that do not leave the window
--     until it has started them. The call is never sent twice.
--   Jobs that start later than the next are asked for: they count like these, under a name of their own.
--   Worker dead: as for any entry.
--   Rolled back: the room and the stream are rolled back together.
--   Memory full: the first write is allowed at the limit. A full server drains.
--   Stream that accepts no entries: the jobs that were taken go back into the room.
--   Slot of a group: it is used in the step in which the job is delivered. If a worker dies, the slot goes with the entry.

-- @include lib/stream-info
-- @include lib/queue-pause
-- @include lib/limits
-- @include lib/full-memory
-- @include lib/take-alone
-- @include lib/take-groups

local meta, gate, prefix = KEYS[3], KEYS[4], KEYS[5]
local us = now_us()
local now = math.floor(us / 1000)
-- What the parts share: see lib/take-entries.lua.
local fetch = {
  stream = KEYS[1],
  room = KEYS[2],
  meta = meta,
  gate = gate,
  prefix = prefix,
  group = ARGV[1],
  consumer = ARGV[2],
  us = us,
  now = now,
  reply = {},
  taken = 0,
}
-- `unpack` fails near 8,000 values.
local MOST = 2000
local count = math.min(tonumber(ARGV[3]), MOST)
local more = math.min(tonumber(ARGV[7]), MOST - count)
-- A queue stays gated for so long after the last job came into the room: a change wakes all workers.
local STAYS_GATED_MS = 30000
-- And at most a tenth of the window.
local AHEAD_US = 5000

local gated, paused, ends, concurrency, max, duration, limited =
  unpack(redis.call('HMGET', meta, 'gated', 'paused', 'until', 'concurrency', 'max', 'duration', 'limited'))
local limits = limits_from(concurrency, max, duration, limited)
local room_size = redis.call('ZCARD', fetch.room)
allow_writes_at_memory_limit(prefix)
if room_size > 0 and not gated then
  -- Somebody has deleted it.
  gated = decimal(now)
  redis.call('HSET', meta, 'gated', gated)
end
fetch.gated = tonumber(gated or nil)

if room_size == 0 and gated then
  forget_turns(prefix)
end

local function set_both_aside(name, starts)
  set_aside(prefix .. 'taking', fetch.consumer, ':(%d+)$', name, starts)
  set_group_aside(prefix, fetch.consumer, name, starts)
end
if ARGV[4] ~= '' and ARGV[5] == '1' then
  set_both_aside(fetch.consumer .. ' ' .. ARGV[4], ARGV[4])
elseif ARGV[4] ~= '' then
  confirm_starts(prefix, fetch.consumer, limits, ARGV[4], us)
  -- Keys of the wrong type keep no job from its start.
  pcall(confirm_group_starts, prefix, meta, fetch.consumer, ARGV[4])
end
if ARGV[6] == '1' then
  set_both_aside(fetch.consumer .. LOST .. decimal(us), '')
end
-- How many may be taken; and in how many ms more may, as text, '' = that is for others to say.
local allowed, wait, starts_in, far = count, '', 0, ''
if limits then
  if limits.limited and limits.limited <= now then
    redis.call('HDEL', meta, 'limited')
    limits = limits_from(concurrency, max, duration, false)
  end
end
if limits then
  local is_alone = limits.max and room_size == 0
  local ahead = is_alone and math.min(AHEAD_US, limits.duration * 100)
  local asked = more > 0 and is_alone and not gated and not limits.concurrency and 2 * (count + more) or count
  allowed, wait, starts_in = allowance(limits, fetch.stream, fetch.group, prefix, asked, us, nil, ahead)
  if asked > count and allowed == asked then
    allowed, far = count + more, '1'
  elseif allowed >= count and asked > count then
    allowed, wait = count, ''
  end
end
local is_paused = is_pause(paused, ends, now)
if is_paused or gated or limits and (limits.concurrency or limits.limited) then
  far = '0'
end

-- Each part takes what the parts before it have left. Returns the error reply of the stream, if it accepts no entries.
local function take()
  local failure = room_size > 0 and take_lifo(fetch, allowed)
  local is_drained = not failure and fetch.taken < allowed and take_waiting(fetch, allowed - fetch.taken)
  if failure or fetch.taken == allowed or room_size == 0 then
    return failure
  elseif not is_drained then
    -- Jobs of the room come behind the entries that this has yet to step over.
    wait = '1'
    return
  end
  failure = take_prioritized(fetch, allowed - fetch.taken)
  if failure or fetch.taken == allowed then
    return failure
  end
  local group_wait
  failure, group_wait = take_groups(fetch, allowed - fetch.taken)
  if group_wait then
    wait = decimal(math.min(group_wait, tonumber(wait) or group_wait))
  end
  return failure
end

if allowed > 0 and not is_paused then
  local failure = take()
  if failure and fetch.taken == 0 then
    return failure
  end
end

local starts = fetch.any_start and decimal(us) or ''
if limits and limits.max and fetch.taken > 0 then
  begin_starts(prefix, fetch.consumer, limits.duration, us, fetch.taken)
  starts = decimal(us)
end
local open = ''
if fetch.taken < count then
  -- It is told when there is more. While the rate limit of the queue is reached, it asks again by itself.
  if fetch.taken < allowed or wait == '' then
    -- If the key has the wrong type, what was taken has to arrive all the same; the worker asks again within a second.
    local is_kept = redis.pcall('ZADD', prefix .. 'wake:idle', decimal(now), fetch.consumer)
    if type(is_kept) == 'table' and fetch.taken == 0 then
      return is_kept
    end
  end
  if not limits and redis.call('EXISTS', fetch.room, prefix .. 'ahead', prefix .. 'slots') == 0 then
    local seq = tonumber(redis.call('HGET', gate, 'seq')) or 0
    if not gated or now - seq / NUMBERS_PER_MS > STAYS_GATED_MS then
      redis.call('HDEL', meta, 'gated')
      redis.call('DEL', prefix .. 'wake:idle', prefix .. 'groups', prefix .. 'groups:limited')
      if redis.call('EXISTS', prefix .. 'delayed') == 0 then
        redis.call('DEL', gate)
      end
      open = '1'
    end
  end
end
fetch.reply[#fetch.reply + 1] = { 'gate', { { '0-0', { 'wait', wait, 'open', open, 'starts', starts, 'in', decimal(starts_in), 'far', far } } } }
return fetch.reply
