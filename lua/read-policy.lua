-- Reads the policy of a queue: what its workers may do. Deletes a pause that is over, so that all others see that, too.
--
-- KEYS meta
-- Reply { paused, gated, limited }: since when the queue is paused, in unix ms, as text; '' if it is not. gated is not '' if workers
--      fetch with take.lua: there are jobs in the room, or limits. limited is '1' if there are limits, else ''.
--
-- Races
--   Prolonged meanwhile: that and this are single steps; the process that prolongs a pause that is gone pauses the queue again.
--   Memory full: HDEL is allowed.

-- @include lib/queue-pause
-- @include lib/limits

local since = paused_since(KEYS[1])
if not since and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HDEL', KEYS[1], 'paused', 'until')
end
local limited = limits_of(KEYS[1]) and '1' or ''
return { since or '', redis.call('HGET', KEYS[1], 'gated') or limited, limited }
