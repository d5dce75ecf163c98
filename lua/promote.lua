-- Promotes due jobs from the delayed set to the work stream or the room, for the leader.
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

-- @include lib/promotion
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
local due = head_of(delayed, now, batch, 4194304)
local promoted, failure, any_unique =
  promote_head(due, delayed, stream, events, prefix, cap, tonumber(ARGV[5]), now)
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
  redis.call('DEL', prefix .. 'delayed:unique')
end
return { 1, promoted, next_due and decimal(next_due) or '', depth, lag, decimal(now) }
