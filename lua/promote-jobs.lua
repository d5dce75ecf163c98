-- Promotes delayed jobs, also those that are not due yet, earliest first.
--
-- KEYS delayed stream events prefix calls
-- ARGV 1 most  how many at most, 5,000 at most  2 events_cap  3 batch_from (see lib/event-batch.lua)
--      call    see lib/call-replies.lua
-- Reply { promoted, left }: left is how many jobs are still delayed.
--
-- Races
--   Cancelled or promoted meanwhile: these are single steps on one slot, so a job is promoted once or not at all.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua.

-- @include lib/promotion
-- @include lib/call-replies

local delayed, stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call = ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local due = head_of(delayed, '+inf', tonumber(ARGV[1]), 524288)
local promoted, failure =
  promote_head(due, delayed, stream, events, prefix, tonumber(ARGV[2]), tonumber(ARGV[3]), now_ms(), true)
if failure then
  return failure
end
return keep_reply(calls, call, { promoted, redis.call('ZCARD', delayed) })
