-- Ends jobs that fail for good and do not become dead letters: they were cancelled while the worker had them in flight, or
-- they have expired and are to be dropped. All jobs of a call have the same reason.
--
-- KEYS stream events prefix calls
-- ARGV 1–6 see lib/end-batch.lua
--      7 events_cap   0 = no events
--      8 remember_ms  for how long `failed:<job id>` tells result waiters why there is no result: the reason, a line feed,
--                     the detail
--      9 reason       'cancelled' or 'expired'
--     per job: entry id; job id; name; the attempt that has ended; its duration in µs; '1' if the id is the caller's,
--                     else ''; detail or ''
--     dedups          as in complete.lua
--     gaps, call      see lib/end-batch.lua
-- Reply { … }: of jobs that stay as they are, the index (from 1): positive = the lease is no longer the caller's; negative =
--      the job was cancelled, which is not the reason of this call.
--
-- Races
--   Lease lost, rolled back, sent twice, reply lost, memory full: as in complete.lua.
--   Worker dead before this call: the mark of cancel.lua stays, and the worker that reclaims the entry ends the job.

-- @include lib/end-batch
-- @include lib/time
-- @include lib/result-waiters
-- @include lib/tracked
-- @seldom lib/dedup

local stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local batch = read_batch()
local cap, reason = tonumber(ARGV[7]), ARGV[9]
local WIDTH = 7

local said = kept_reply(calls, batch.call, {})
if said then
  return said
end
local entries = {}
for i = 1, batch.jobs do
  entries[i] = ARGV[10 + (i - 1) * WIDTH]
end
local reply = {}
local own = own_between(stream, batch.group, batch.consumer, batch.first, batch.last)
local cancelled = reason == 'cancelled' and {} or cancelled_among(prefix, entries, own)
local done, left_out = sort_batch(entries, own, cancelled, reply)
end_leases(stream, batch, done)
free_slots(prefix, batch, entries, done)

local ts = decimal(now_ms())
local told = #done > 0 and has_waiters(prefix) and {}
for i = 1, batch.jobs do
  if not left_out[i] then
    local from = 10 + (i - 1) * WIDTH
    local id, name, attempt, duration = ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], ARGV[from + 4]
    if reason == 'cancelled' then
      redis.call('DEL', prefix .. 'cancelled:' .. entries[i])
    end
    if id ~= '' then
      remember_failure(prefix, id, reason, ARGV[from + 6], ARGV[8], told)
    end
    if ARGV[from + 5] == '1' then
      local keys = { prefix .. 'dlid:' .. id }
      add_tracked(keys, prefix, id)
      delete_keys(keys)
    end
    if cap > 0 then
      if i <= batch.unannounced then
        write_event(events, 'active', id, ts, name, 'attempt', attempt)
      end
      write_event(events, 'failed', id, ts, name, 'attempt', attempt, 'reason', reason, 'duration_us', duration, reason, '1')
    end
  end
end
if ARGV[#ARGV - 2] ~= '' then
  release_ended(stream, prefix, ARGV[#ARGV - 2], left_out)
end
if told then
  tell_waiters(prefix, 'dead', told)
end
if cap > 0 and #done > 0 then
  announce_drained(stream, events, ts)
  trim_events(events, cap)
end
return keep_reply(calls, batch.call, reply, #reply == 0)
