-- The pause of a queue, in the hash `meta`: `paused` = since when, in unix ms; `until` = when it ends by itself, if it has an end:
-- the pause of an obliterate, which its process prolongs while it lives. A pause by the user takes `until` away.
-- @include lib/time

-- Whether the pause of these fields, each false if it is not there, is one at a time in unix ms.
local function is_pause(paused, ends, now)
  return paused and not (ends and now >= (tonumber(ends) or math.huge))
end

-- Since when the queue is paused, as text; nil if it is not. Writes nothing.
local function paused_since(meta)
  local fields = redis.call('HMGET', meta, 'paused', 'until')
  if not is_pause(fields[1], fields[2], fields[1] and now_ms()) then
    return nil
  end
  -- Somebody else may have written it: then it is not known since when.
  return string.match(fields[1], '^%d+$') or '0'
end
