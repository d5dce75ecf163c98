-- Asks Redis about a consumer group. The stream or its group may be gone (obliterate, FLUSHALL): then the group has no consumers, and
-- nothing is pending, so each lease is lost. The next worker that reads the stream creates it anew.
local function ask_group(...)
  local reply = redis.pcall(...)
  if not reply.err then
    return reply
  end
  if string.find(reply.err, 'NOGROUP', 1, true) or string.find(reply.err, 'no such key', 1, true) then
    return {}
  end
  -- Fails again, and ends the script.
  return redis.call(...)
end
