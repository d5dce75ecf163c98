-- "What did this call reply?" The client sends a command again when its reply was lost. By then the state has changed: what
-- the first call ended is gone. So callers number their calls, and Redis keeps the numbers of the last 1,024 calls of a
-- caller, and each reply that is not the usual one. A second call gets the reply of the first, and changes nothing. The ring
-- has the layout of call-dedup.lua; it expires ten minutes after the last call.
local RING_MS = 600000

local function ring_number(call)
  return struct.pack('>I4', call % 4294967295 + 1)
end

-- The reply of the call, if it was carried out before; else nil. `usual`: the reply if none was kept.
local function kept_reply(calls, call, usual)
  local at = call % 1024 * 4
  if redis.call('GETRANGE', calls, at, at + 3) ~= ring_number(call) then
    return nil
  end
  local of, reply = string.match(redis.call('HGET', calls .. ':replies', call % 1024) or '', '^(%d+) (.*)$')
  return of == call and cjson.decode(reply) or usual
end

-- Keeps the number of a call that was carried out, and its reply unless it is the usual one. Returns the reply.
local function keep_reply(calls, call, reply, is_usual)
  -- The memory limit forbids SETRANGE as the first write, and the script may not have written anything else.
  local is_there = redis.call('PEXPIRE', calls, RING_MS) == 1
  redis.call('SETRANGE', calls, call % 1024 * 4, ring_number(call))
  if not is_there then
    redis.call('PEXPIRE', calls, RING_MS)
  end
  if not is_usual then
    redis.call('HSET', calls .. ':replies', call % 1024, call .. ' ' .. cjson.encode(reply))
    redis.call('PEXPIRE', calls .. ':replies', RING_MS)
  end
  return reply
end
