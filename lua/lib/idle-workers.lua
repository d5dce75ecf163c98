-- @include lib/limits

-- The policy has changed: if the queue is not gated any more, its workers read, and none of them waits to be woken by name.
local function forget_idle_workers(prefix)
  local meta = prefix .. 'meta'
  if redis.call('HEXISTS', meta, 'gated') == 0 and not limits_of(meta) then
    redis.call('DEL', prefix .. 'wake:idle')
  end
end
