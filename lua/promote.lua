-- Promotes due jobs from the delayed set to the work stream, for the leader.
--
-- KEYS delayed stream events promoterLock promoterWake prefix
-- ARGV 1 holder  2 lock_ms  3 batch  4 events_cap  5 batch_from (see batch.lua)
--      6 take  '1' = lead from now on, whoever led: the caller knows of something that is due earlier
--      7 group  then ids of wake entries to acknowledge
-- Reply { leads, promoted, next, depth, lag, now }: leads 1 or 0 (then nothing else was done, and lag is for how many
--      ms another leads still);
--      next is the unix ms at which the next job is due, '' if none; depth is what is left in the set; lag is by how
--      many ms the earliest of what is left is overdue; now is in unix ms.
--
-- Races: promotion and cancel are both single steps on one slot, so a job is either promoted or cancelled. The lock only
-- saves work: two leaders would promote each job once all the same. Sent twice, the second time promotes what is due.

-- @include lib/events
-- @include lib/batch
-- @include lib/live
-- @include lib/drain
-- @include lib/lead

local delayed, stream, events, lock, wake, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local holder, batch, cap = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
-- A leader is there when a job falls due.
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
-- In pages, because each member may be a megabyte; those of large members are smaller.
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
may_drain(prefix)

local names, bodies, ids = {}, {}, {}
local read, sub = struct.unpack, string.sub
local function read_members(from)
  for i = from, #due do
    local member = due[i]
    -- The name, and of the Job behind it the head of the array and that of a short id: see envelope.lua.
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
  -- Bytes that are no delayed member travel on whole: the reader dead-letters them, and nothing stands in the way.
  from = #names + 1
  names[from], bodies[from], ids[from] = '', due[from], ''
  from = from + 1
end

-- Which have an id of the caller's, and for how long it stays taken: see add.lua. By place.
local unique, dlid = prefix .. 'delayed:unique', prefix .. 'dlid:'
local any_unique = #due > 0 and redis.call('EXISTS', unique) == 1
local is_unique, keeps = {}, {}
if any_unique then
  is_unique = redis.call('SMISMEMBER', unique, unpack(ids))
  local places, markers = {}, {}
  for i = 1, #due do
    if is_unique[i] == 1 then
      places[#places + 1] = i
      markers[#markers + 1] = dlid .. ids[i]
    end
  end
  local values = #markers > 0 and redis.call('MGET', unpack(markers)) or {}
  for p = 1, #places do
    keeps[places[p]] = values[p]
  end
end

local call = redis.pcall
local promoted = 0
-- Of those with an id of the caller's: their ids, and the keys that find them in the delayed set or tell of an earlier life.
local left, indices = {}, {}
-- Markers that tell where their jobs are (see add.lua), and their new values. Those of other writers stay as they are.
local moved = {}
local failure
for i = 1, #due do
  local name, d, keep = names[i], bodies[i], keeps[i]
  local ours = keep and string.match(keep, '^(%d+):')
  keep = ours or keep
  local added
  if keep then
    if name == '' then
      added = call('XADD', stream, '*', 'd', d, 'u', keep)
    else
      added = call('XADD', stream, '*', 'd', d, 'n', name, 'u', keep)
    end
  elseif name == '' then
    added = call('XADD', stream, '*', 'd', d)
  else
    added = call('XADD', stream, '*', 'd', d, 'n', name)
  end
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
  -- What was read stands at the head of the set, and in this order.
  redis.call('ZREMRANGEBYRANK', delayed, 0, promoted - 1)
end
for from = 1, #moved, 4000 do
  redis.call('MSET', unpack(moved, from, math.min(from + 3999, #moved)))
end
if #left > 0 then
  redis.call('SREM', unique, unpack(left))
  forget(indices)
end
if cap > 0 and promoted > 0 then
  -- Where Redis took only some, only those are announced.
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
  -- What another writer promoted or took back is not in it any more.
  redis.call('DEL', unique)
end
return { 1, promoted, next_due and decimal(next_due) or '', depth, lag, decimal(now) }
