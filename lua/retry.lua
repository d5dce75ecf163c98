-- Schedules the next attempt of failed jobs: from the work stream to the delayed set.
--
-- KEYS stream delayed events prefix
-- ARGV 1 group  2 consumer  3 first  4 last  5 jobs  6 unannounced   as in complete.lua
--      7 events_cap   0 = no events
--      then, per job: entry id, job id, name, the attempt that failed, duration in µs, reason, backoff in ms,
--      the new delayed member, '1' if the id was the caller's else ''
-- Reply { due, lost… }: the unix ms of the earliest retry ('' if there is none), then indices (from 1) of jobs whose
--      lease is no longer ours, and, negative, of jobs that were cancelled (cancel.lua): they stay as they are.
--
-- Races: as in complete.lua. A job is removed from the stream in the same step in which it enters the delayed set.
local stream, delayed, events, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group = ARGV[1]
local jobs, unannounced, cap = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

-- A delayed key of the wrong type fails here, before the entry is gone.
redis.call('ZCARD', delayed)
local own = owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local done, reply = {}, { '' }
local cancelled = cancelled_among(prefix, own)
for i = 1, jobs do
  local id = ARGV[8 + (i - 1) * 9]
  if cancelled[id] then
    own[id] = nil
    reply[#reply + 1] = -i
  elseif own[id] then
    done[#done + 1] = id
  else
    reply[#reply + 1] = i
  end
end
finish(stream, group, done)

local now = now_ms()
local ts = decimal(now)
local earliest
for i = 1, jobs do
  local from = 8 + (i - 1) * 9
  if own[ARGV[from]] then
    local id, name, attempt, backoff, member = ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], ARGV[from + 6], ARGV[from + 7]
    local due = now + tonumber(backoff)
    redis.call('ZADD', delayed, decimal(due), member)
    if ARGV[from + 8] == '1' then
      redis.call('SET', prefix .. 'didx:' .. id, member)
    end
    if not earliest or due < earliest then
      earliest = due
    end
    if cap > 0 then
      local tag = name == '' and {} or { 'n', name }
      if i <= unannounced then
        redis.pcall('XADD', events, '*', 'e', 'active', 'id', id, 'ts', ts, 'attempt', attempt, unpack(tag))
      end
      redis.pcall('XADD', events, '*', 'e', 'failed', 'id', id, 'ts', ts, 'attempt', attempt, 'reason', ARGV[from + 5], 'duration_us', ARGV[from + 4], unpack(tag))
      redis.pcall('XADD', events, '*', 'e', 'retry-scheduled', 'id', id, 'ts', ts, 'attempt', decimal(attempt + 1), 'backoff_ms', backoff, unpack(tag))
    end
  end
end
if earliest then
  reply[1] = decimal(earliest)
  if cap > 0 then
    trim_events(events, cap)
  end
end
return reply
