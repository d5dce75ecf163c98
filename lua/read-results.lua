-- Reads how jobs have ended.
--
-- KEYS stream delayed prefix
-- ARGV 1 waiters_ms  for so many ms there are result waiters: see lib/result-waiters.lua; '' = the caller does not wait
--      then the job ids
-- Reply { newest, … }: newest is the newest entry of the stream `ended`, '' if there is none or the caller does not wait. Then,
--      per job: its result, nil if none is stored; why there is none, nil if nothing is known (see dead-letter.lua and
--      lib/result-waiters.lua); and a number: 0 the job may still run; 1 the queue has no job at all; 2 its own id says that it
--      has ended; 3 its own id says that it has not; 4 it has completed without a result. Of the first jobs asked for: as many as fit into a megabyte, at least one.
--
-- Races: a job that ends during the call is found by the next poll, or in the stream `ended` behind `newest`.

-- @include lib/tracked

local stream, delayed, prefix = KEYS[1], KEYS[2], KEYS[3]
local MOST_BYTES = 1048576
local reply = { '' }
if ARGV[1] ~= '' then
  -- On each call: the key may have been deleted. With pcall: a full server or a replica can still be asked.
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
  -- The marker of an id of the caller's expires only once its job has ended: see add.lua. The marker of a third-party writer
  -- may always expire.
  local marker = prefix .. 'dlid:' .. id
  local left = redis.call('PTTL', marker)
  if left ~= -2 and string.find(redis.call('GET', marker), '^%d+:') then
    return left == -1 and 3 or 2
  end
  return none_left and 1 or 0
end

for i = 2, #ARGV do
  local id = ARGV[i]
  -- For a key of another type, MGET says that there is nothing.
  local value, why, record =
    unpack(redis.call('MGET', prefix .. 'result:' .. id, prefix .. 'failed:' .. id, prefix .. 'job:' .. id))
  local has_completed = false
  if record and not value and not why then
    -- A tracked job: see lib/tracked.lua.
    local result, is_completion = result_of(record)
    value, has_completed = result or false, is_completion
  end
  reply[#reply + 1] = value
  reply[#reply + 1] = why
  reply[#reply + 1] = (value or why) and 2 or has_completed and 4 or state_of(id)
  bytes = bytes + (value and #value or 0)
  if bytes >= MOST_BYTES then
    return reply
  end
end
return reply
