-- Frees a deduplication id, whatever becomes of its job.
--
-- KEYS stream delayed prefix calls
-- ARGV 1 deduplication id
--      2 job id  only if this job has the id; '' = any
--      call      see lib/call-replies.lua
-- Reply 1 = the id was taken, and is free now; 0 = it was not, or another job has it
--
-- Races
--   A job is parked until the active one has ended: it is due now, because nobody would say later that it is.
--   Sent twice, reply lost: the second call gets the reply of the first, and a job that has the id by then keeps it.
--   Memory full: see lib/full-memory.lua.

-- @include lib/dedup
-- @include lib/call-replies
-- @include lib/full-memory

local stream, delayed, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local dedup, id, call = ARGV[1], ARGV[2], ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said[1]
end
local key = dedup_key(prefix, dedup)
local job, next_job, due = holder_of(key)
if not job or (id ~= '' and id ~= job) then
  return keep_reply(calls, call, { 0 })[1]
end
local taken = is_dedup_taken(stream, delayed, prefix, key, job) and 1 or 0
allow_writes_at_memory_limit(prefix)
if next_job then
  hand_over_dedup(stream, delayed, prefix, key, next_job, due)
end
redis.call('DEL', key)
return keep_reply(calls, call, { taken })[1]
