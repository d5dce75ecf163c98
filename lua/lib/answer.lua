-- "What has this call answered?" A client sends a command whose reply was lost again by itself, and by then the state is
-- another: what the first call has ended is not there any more. So callers number their calls, and Redis keeps the
-- numbers of the last 1,024 that it carried out for a caller (the ring of once.lua), and what it answered where that was
-- not the usual. A second call answers as the first did, and changes nothing.
--
-- `call` is the number; nil where a caller does not number its calls. The ring expires ten minutes after its last call.
local RING_MS = 600000

local function ring_number(call)
  return struct.pack('>I4', call % 4294967295 + 1)
end

-- What the call has answered; nil where it has not been carried out. `usual` is what it answers when nothing was kept.
local function answered(calls, call, usual)
  if not call then
    return nil
  end
  local at = call % 1024 * 4
  if redis.call('GETRANGE', calls, at, at + 3) ~= ring_number(call) then
    return nil
  end
  local of, reply = string.match(redis.call('HGET', calls .. ':replies', call % 1024) or '', '^(%d+) (.*)$')
  return of == call and cjson.decode(reply) or usual
end

-- Keeps the number of a call that has been carried out, and its reply unless that is the usual one. Returns the reply.
local function answer(calls, call, reply, is_usual)
  if call then
    -- The memory limit forbids to begin with SETRANGE, and nothing else may have been written.
    local is_there = redis.call('PEXPIRE', calls, RING_MS) == 1
    redis.call('SETRANGE', calls, call % 1024 * 4, ring_number(call))
    if not is_there then
      redis.call('PEXPIRE', calls, RING_MS)
    end
    if not is_usual then
      redis.call('HSET', calls .. ':replies', call % 1024, call .. ' ' .. cjson.encode(reply))
      redis.call('PEXPIRE', calls .. ':replies', RING_MS)
    end
  end
  return reply
end
