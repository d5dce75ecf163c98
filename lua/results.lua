-- How jobs have ended, for whoever wants to know. Writes nothing.
--
-- KEYS stream delayed prefix
-- ARGV job ids
-- Reply { per job: its result, nil where none is stored; why there is none, nil where nothing is known (see
--      dead-letter.lua and ended.lua); 0 it may be on its way still, 1 there is no job of any id, 2 its own id says
--      that it has ended }; only for so many of the jobs, from the first on, as fit into a megabyte, but one at least
local stream, delayed, prefix = KEYS[1], KEYS[2], KEYS[3]
local MOST_BYTES = 1048576
local bytes = 0
local none_left
local reply = {}

local function state_of(id)
  if none_left == nil then
    none_left = redis.call('XLEN', stream) == 0 and redis.call('ZCARD', delayed) == 0
  end
  -- The marker of an id of the caller's runs out once its job has ended: see add.lua. One of another writer may always.
  local marker = prefix .. 'dlid:' .. id
  if redis.call('PTTL', marker) >= 0 and string.find(redis.call('GET', marker), '^%d+:') then
    return 2
  end
  return none_left and 1 or 0
end

for i = 1, #ARGV do
  local id = ARGV[i]
  -- Of a key of another type MGET says that there is nothing.
  local value, why = unpack(redis.call('MGET', prefix .. 'result:' .. id, prefix .. 'failed:' .. id))
  reply[#reply + 1] = value
  reply[#reply + 1] = why
  reply[#reply + 1] = (value or why) and 2 or state_of(id)
  bytes = bytes + (value and #value or 0)
  if bytes >= MOST_BYTES then
    return reply
  end
end
return reply
