-- Promotes due jobs from the delayed set to the work stream, for the leader.
--
-- KEYS delayed stream events promoterLock promoterWake prefix
-- ARGV 1 holder  2 lock_ms  3 batch  4 events_cap
--      5 take  '1' = lead from now on, whoever led: the caller knows of something that is due earlier
--      6 group  then ids of wake entries to acknowledge
-- Reply { leads, promoted, next, depth, lag, now }: leads 1 or 0 (then nothing else was done, and lag is for how many
--      ms another leads still);
--      next is the unix ms at which the next job is due, '' if none; depth is what is left in the set; lag is by how
--      many ms the earliest of what is left is overdue; now is in unix ms.
--
-- Races: promotion and cancel are both single steps on one slot, so a job is either promoted or cancelled. The lock only
-- saves work: two leaders would promote each job once all the same. Sent twice, the second time promotes what is due.
local delayed, stream, events, lock, wake, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local holder, batch, cap = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])

local now = now_ms()
if redis.call('EXISTS', delayed) == 0 then
  -- Nothing to lead.
  for i = 7, #ARGV do
    redis.call('XACK', wake, ARGV[6], ARGV[i])
  end
  return { 1, 0, '', 0, 0, decimal(now) }
end
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, batch)
for i = 7, #ARGV do
  redis.call('XACK', wake, ARGV[6], ARGV[i])
end
local leader = redis.call('GET', lock)
if leader and leader ~= holder and ARGV[5] ~= '1' then
  return { 0, 0, '', 0, math.max(redis.call('PTTL', lock), 0), decimal(now) }
end

local ids, markers = {}, {}
for i = 1, #due do
  local length = #due[i] >= 4 and struct.unpack('<I4', due[i]) or -1
  ids[i] = length >= 0 and job_id_of(string.sub(due[i], 5 + length)) or false
  markers[i] = prefix .. 'dlid:' .. (ids[i] or '')
end
local keeps = #due > 0 and redis.call('MGET', unpack(markers)) or {}

local ts = decimal(now)
local promoted, indices = 0, {}
-- Markers that tell where their jobs are (see add.lua), and their new values. Those of other writers stay as they are.
local moved = {}
local failure
for i = 1, #due do
  local member = due[i]
  -- Bytes that are no delayed member travel on whole: the reader dead-letters them, and nothing stands in the way.
  local name, d = '', member
  local length = #member >= 4 and struct.unpack('<I4', member) or #member
  if 4 + length <= #member then
    name, d = string.sub(member, 5, 4 + length), string.sub(member, 5 + length)
  end
  local keep = ids[i] and keeps[i]
  local ours = keep and string.match(keep, '^(%d+):')
  keep = ours or keep
  local added
  if keep then
    if name == '' then
      added = redis.pcall('XADD', stream, '*', 'd', d, 'u', keep)
    else
      added = redis.pcall('XADD', stream, '*', 'd', d, 'n', name, 'u', keep)
    end
    indices[#indices + 1] = prefix .. 'didx:' .. ids[i]
  elseif name == '' then
    added = redis.pcall('XADD', stream, '*', 'd', d)
  else
    added = redis.pcall('XADD', stream, '*', 'd', d, 'n', name)
  end
  if type(added) == 'table' and added.err then
    failure = added
    break
  end
  promoted = promoted + 1
  if ours then
    moved[#moved + 1] = markers[i]
    moved[#moved + 1] = ours .. ':' .. added
  end
  if cap > 0 then
    if name == '' then
      redis.pcall('XADD', events, '*', 'e', 'waiting', 'id', ids[i] or '', 'ts', ts)
    else
      redis.pcall('XADD', events, '*', 'e', 'waiting', 'id', ids[i] or '', 'ts', ts, 'n', name)
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
if #indices > 0 then
  redis.call('DEL', unpack(indices))
end
if cap > 0 and promoted > 0 then
  trim_events(events, cap)
end
if failure then
  return failure
end
redis.call('SET', lock, holder, 'PX', ARGV[2])

local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
local next_due = head[2] and tonumber(head[2])
local lag = next_due and math.max(now - next_due, 0) or 0
return { 1, promoted, next_due and decimal(next_due) or '', redis.call('ZCARD', delayed), lag, ts }
