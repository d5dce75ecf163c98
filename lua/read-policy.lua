-- Reads the policy of a queue: what its workers may do. Deletes a pause that is over, so that all others see that, too.
--
-- KEYS meta
-- Reply { paused, gated, concurrency }: since when the queue is paused, in unix ms, as text; '' if it is not. The same for gated: workers fetch
--      with take.lua. concurrency: how many jobs may be in flight, '' = any number.
--
-- Races
--   Prolonged meanwhile: that and this are single steps; the process that prolongs a pause that is gone pauses the queue again.
--   Memory full: HDEL is allowed.

-- @include lib/queue-pause

local since = paused_since(KEYS[1])
if not since and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HDEL', KEYS[1], 'paused', 'until')
end
local policy = redis.call('HMGET', KEYS[1], 'gated', 'concurrency')
return { since or '', policy[1] or '', policy[2] or '' }
