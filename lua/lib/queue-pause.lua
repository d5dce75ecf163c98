-- The pause of a queue, in the hash `meta`: `paused` = since when, in unix ms; `until` = when it ends by itself, if it has an end:
-- the pause of an obliterate, which its process prolongs while it lives. A pause by the user takes `until` away.
-- @include lib/time

-- Since when the queue is paused, as text; nil if it is not. Writes nothing.
local function paused_since(meta)
  local fields = redis.call('HMGET', meta, 'paused', 'until')
  return fields[1] and not (fields[2] and now_ms() >= tonumber(fields[2])) and fields[1] or nil
end
