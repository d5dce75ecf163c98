-- Ends jobs that were cancelled while the worker had them in flight. They do not become dead letters.
--
-- KEYS stream events prefix calls
-- ARGV 1–6 see lib/end-batch.lua
--      7 events_cap   0 = no events
--      8 remember_ms  for how long `failed:<job id>` tells result waiters that there is no result
--     per job: entry id; job id; name; the attempt that was cancelled; its duration in µs; '1' if the id is the caller's,
--                     else ''
--     gaps, call      see lib/end-batch.lua
-- Reply { indices (from 1) of jobs whose lease is no longer the caller's }
--
-- Races
--   Lease lost, rolled back, sent twice, reply lost, memory full: as in complete.lua.
--   Worker dead before this call: the mark of cancel.lua stays, and the worker that reclaims the entry ends the job.

-- @include lib/end-batch
-- @include lib/time
-- @include lib/result-waiters
-- @include lib/tracked

local stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local batch = read_batch()
local cap = tonumber(ARGV[7])
local WIDTH = 6

local said = kept_reply(calls, batch.call, {})
if said then
  return said
end
local entries = {}
for i = 1, batch.jobs do
  entries[i] = ARGV[9 + (i - 1) * WIDTH]
end
local reply = {}
local own = own_between(stream, batch.group, batch.consumer, batch.first, batch.last)
local done, left_out = sort_batch(entries, own, {}, reply)
end_leases(stream, batch, done)

local ts = decimal(now_ms())
local told = #done > 0 and has_waiters(prefix) and {}
for i = 1, batch.jobs do
  if not left_out[i] then
    local from = 9 + (i - 1) * WIDTH
    local id, name, attempt, duration = ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], ARGV[from + 4]
    redis.call('DEL', prefix .. 'cancelled:' .. entries[i])
    if id ~= '' then
      redis.call('SET', prefix .. 'failed:' .. id, 'cancelled', 'PX', ARGV[8])
      if told then
        told[#told + 1] = ended_frame(id, 'cancelled')
      end
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
      write_event(events, 'failed', id, ts, name, 'attempt', attempt, 'reason', 'cancelled', 'duration_us', duration, 'cancelled', '1')
    end
  end
end
if told then
  tell_waiters(prefix, 'dead', told)
end
if cap > 0 and #done > 0 then
  announce_drained(stream, events, ts)
  trim_events(events, cap)
end
return keep_reply(calls, batch.call, reply, #reply == 0)
