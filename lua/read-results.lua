-- How jobs have ended, for whoever wants to know.
--
-- KEYS stream delayed prefix
-- ARGV 1 waiters_ms  for how long it is to be known that somebody waits for results: see ended.lua; '' = nobody does
--      then the job ids
-- Reply { newest, … }: newest is the last entry of the stream `ended`, '' where there is none, or nobody waits. Then,
--      per job: its result, nil where none is stored; why there is none, nil where nothing is known (see dead-letter.lua
--      and ended.lua); 0 it may be on its way still, 1 there is no job of any id, 2 its own id says that it has ended,
--      3 its own id says that it has not. Only for so many of the jobs, from the first on, as fit into a megabyte, but
--      one at least.
local stream, delayed, prefix = KEYS[1], KEYS[2], KEYS[3]
local MOST_BYTES = 1048576
local reply = { '' }
if ARGV[1] ~= '' then
  -- With each look: the key may have been deleted. A full server, or a replica, can be asked all the same.
  redis.pcall('SET', prefix .. 'waiters', 1, 'PX', ARGV[1])
  local newest = redis.call('XREVRANGE', prefix .. 'ended', '+', '-', 'COUNT', 1)[1]
  reply[1] = newest and newest[1] or ''
end
local bytes = 0
local none_left

local function state_of(id)
  if none_left == nil then
    none_left = redis.call('XLEN', stream) == 0 and redis.call('ZCARD', delayed) == 0
  end
  -- The marker of an id of the caller's runs out once its job has ended: see add.lua. One of another writer may always.
  local marker = prefix .. 'dlid:' .. id
  local left = redis.call('PTTL', marker)
  if left ~= -2 and string.find(redis.call('GET', marker), '^%d+:') then
    return left == -1 and 3 or 2
  end
  return none_left and 1 or 0
end

for i = 2, #ARGV do
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
