-- Removes the oldest completed jobs that are kept.
--
-- KEYS events prefix calls
-- ARGV 1 until        only jobs that completed at or before this time, unix ms
--      2 most         how many jobs are removed at most
--      3 with_ids     '1' = reply with the ids of the jobs
--      4 events_cap   0 = no events
--      call           see lib/call-replies.lua
-- Reply { next, removed, id… }: next is '' at the end.
--
-- Races
--   Run again meanwhile: a job that runs again is not in the index of completed jobs.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua.

-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/tracked
-- @include lib/cleaned

local events, prefix, calls = KEYS[1], KEYS[2], KEYS[3]
local most, call = tonumber(ARGV[2]), ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local ids = redis.call('ZRANGEBYSCORE', prefix .. 'completed', '-inf', ARGV[1], 'LIMIT', 0, most)
if #ids > 0 then
  allow_writes_at_memory_limit(prefix)
  local keys = {}
  for i = 1, #ids do
    local marker = prefix .. 'dlid:' .. ids[i]
    -- The id of a job that has ended stays taken for a while. Without an expiry, it is that of a live job.
    if redis.call('PTTL', marker) >= 0 then
      keys[#keys + 1] = marker
    end
    keys[#keys + 1] = prefix .. 'result:' .. ids[i]
  end
  redis.call('UNLINK', unpack(keys))
  forget_tracked(prefix, ids)
  announce_cleaned(events, tonumber(ARGV[4]), #ids, 'completed')
end
return keep_reply(calls, call, step_reply(#ids < most and '' or '-', ids, ARGV[3]))
