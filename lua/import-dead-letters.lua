-- Adds dead letters that were exported.
--
-- KEYS dlq calls
-- ARGV per dead letter: the id that it had, or ''; how many strings follow; its fields, flat
--      call      see lib/call-replies.lua
-- Reply { per dead letter: its id now }
--
-- A dead letter keeps the id that it had if the stream accepts it: if no later id was ever given out. Else it gets a new one.
-- An id of the future is not kept: it would forbid all ids until then.
--
-- Races
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: the limit refuses the call as a whole, before anything is written.

-- @include lib/call-replies
-- @include lib/seal
-- @include lib/time

local dlq, calls, call = KEYS[1], KEYS[2], ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local sealed = seal_of(dlq)
if sealed then
  return sealed
end
local reply = {}
local now = now_ms()
local at = 1
while at < #ARGV do
  local id, count = ARGV[at], tonumber(ARGV[at + 1])
  local fields = {}
  for i = 1, count do
    fields[i] = ARGV[at + 1 + i]
  end
  local ms = tonumber(string.match(id, '^(%d+)%-%d+$'))
  local added = ms and ms <= now and redis.pcall('XADD', dlq, id, unpack(fields))
  -- An error is a table: the stream has given out a later id.
  if type(added) ~= 'string' then
    added = redis.call('XADD', dlq, '*', unpack(fields))
  end
  reply[#reply + 1] = added
  at = at + 2 + count
end
return keep_reply(calls, call, reply)
