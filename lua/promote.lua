-- Promotes due jobs from the delayed set to the work stream, for the leader.
--
-- KEYS delayed stream events promoterLock promoterWake prefix
-- ARGV 1 holder  2 lock_ms  3 batch, 5,000 at most  4 events_cap  5 batch_from (see lib/event-batch.lua)
--      6 lead   '1' = lead from now on, even if another process leads: the caller knows of a job that is due earlier
--      7 group  then ids of wake entries to acknowledge
-- Reply { leads, promoted, next, depth, lag, now }: leads is 1, or 0: then nothing else was done, and lag is for how many ms
--      another process still leads. next is the unix ms at which the next job is due, '' if there is none; depth is how many
--      jobs are left in the set; lag is by how many ms the earliest of them is overdue; now is in unix ms.
--
-- Races
--   Cancelled meanwhile: promotion and cancellation are single steps on one slot, so a job is either promoted or cancelled.
--   Two leaders: the lock only saves work. Without it each job would still be promoted once.
--   Sent twice, reply lost: the second call promotes what is due then.
--   Worker dead halfway: wake entries that it did not acknowledge are claimed by another promoter.
--   Memory full: see lib/full-memory.lua.

-- @include lib/event-batch
-- @include lib/work-stream
-- @include lib/live-job
-- @include lib/full-memory
-- @include lib/leader

local delayed, stream, events, lock, wake, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local holder, batch, cap = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
-- A leader acts as soon as a job falls due.
local SILENT_MS = 1000

local now = now_ms()
if redis.call('EXISTS', delayed) == 0 then
  -- Nothing to lead.
  for i = 8, #ARGV do
    redis.call('XACK', wake, ARGV[7], ARGV[i])
  end
  return { 1, 0, '', 0, 0, decimal(now) }
end
for i = 8, #ARGV do
  redis.call('XACK', wake, ARGV[7], ARGV[i])
end
local led = led_for(lock, holder, ARGV[6], tonumber(ARGV[2]), SILENT_MS, function()
  return redis.call('ZCOUNT', delayed, '-inf', now - SILENT_MS) > 0
end)
if led then
  return { 0, 0, '', 0, led, decimal(now) }
end
-- In pages: a member may be a megabyte. Pages of large members are smaller.
local due, page, bytes = {}, 16, 0
repeat
  local members = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', #due, math.min(page, batch - #due))
  local before = bytes
  for i = 1, #members do
    due[#due + 1] = members[i]
    bytes = bytes + #members[i]
  end
  local is_last = #members < page
  page = math.max(1, math.min(32, math.floor(1048576 * page / (bytes - before + 1))))
until is_last or #due >= batch or bytes >= 4194304
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
if any_unique then
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
for i = 1, #due do
  local name, d, keep = names[i], bodies[i], keeps[i]
  local ours = keep and string.match(keep, '^(%d+):')
  keep = ours or keep
  local added = add_entry(redis.pcall, stream, d, name, keep)
  if added.err then
    failure = added
    break
  end
  promoted = i
  if is_unique[i] == 1 then
    left[#left + 1] = ids[i]
    indices[#indices + 1] = prefix .. 'didx:' .. ids[i]
    add_remains(indices, prefix, ids[i])
    if ours then
      moved[#moved + 1] = dlid .. ids[i]
      moved[#moved + 1] = ours .. ':' .. added
    end
  end
end
if promoted > 0 then
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
  announce_jobs(events, prefix, cap, tonumber(ARGV[5]), decimal(now), 'waiting', promoted, promoted, columns, {})
end
if failure then
  return failure
end
redis.call('SET', lock, holder, 'PX', ARGV[2])

local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local next_due = head[2] and tonumber(head[2])
local lag = next_due and math.max(now - next_due, 0) or 0
local depth = redis.call('ZCARD', delayed)
if any_unique and depth == 0 then
  -- Ids of jobs that a third-party writer promoted or removed may be left in it.
  redis.call('DEL', unique)
end
return { 1, promoted, next_due and decimal(next_due) or '', depth, lag, decimal(now) }
