-- Moves dead letters back to the work stream, or to the room, with all attempts available again.
--
-- KEYS dlq stream delayed events prefix calls
-- ARGV 1 events_cap
--      per dead letter: its id; job id; name; the msgpack Job with its attempt counter at 0; ms for which the id stays taken,
--                '' if it is not the caller's
--      call      see lib/call-replies.lua
-- Reply { per dead letter: 1 it was moved; 0 it was gone already; 2 it stays, because another live job has its id, or its
--      deduplication id }
--
-- Races
--   Two replays, or a drop meanwhile: a dead letter leaves the DLQ in the same step in which its job is added.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: the first write is XDEL, which the memory limit allows.

-- @include lib/live-job
-- @include lib/dedup-of-job
-- @include lib/call-replies
-- @include lib/events
-- @include lib/time
-- @include lib/add-waiting
-- @include lib/seal
-- @include lib/tracked

local dlq, stream, delayed, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local cap, call = tonumber(ARGV[1]), ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
-- Before a dead letter is gone.
local sealed = seal_of(stream)
if sealed then
  return sealed
end
check_room(prefix)
local ts = decimal(now_ms())
local reply = {}
local remains = {}
for i = 2, #ARGV - 1, 5 do
  local dead_letter, id, name, d, keep = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local state, dedup = 0, nil
  if #redis.call('XRANGE', dlq, dead_letter, dead_letter) > 0 then
    state = 1
    if keep ~= '' then
      local may
      may, dedup = may_start_over(stream, delayed, prefix, id, d)
      if not may or life_of(stream, delayed, prefix, id) == 'live' then
        state = 2
      end
    end
  end
  if state == 1 then
    redis.call('XDEL', dlq, dead_letter)
    if dedup then
      set_field(dedup, 'job', id)
    end
    add_remains(remains, prefix, id)
    if redis.pcall('GET', prefix .. 'job:' .. id) == 'f' .. dead_letter then
      -- The attempts, the progress and the logs of a tracked job stay.
      remains[#remains + 1] = prefix .. 'job:' .. id
      archive_attempts(prefix, id)
    end
    add_waiting(stream, prefix, id, d, name, keep ~= '' and keep)
    if cap > 0 then
      write_event(events, 'waiting', id, ts, name)
    end
  end
  reply[#reply + 1] = state
end
delete_keys(remains)
tell_workers(stream, prefix)
if cap > 0 then
  trim_events(events, cap)
end
return keep_reply(calls, call, reply)
