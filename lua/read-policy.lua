-- Reads the policy of a queue: what its workers may do. Deletes a pause that is over, so that all others see that, too.
--
-- KEYS meta
-- Reply { paused, gated, limited, limiter, group, then pairs }: since when the queue is paused, in unix ms, as text; '' if it is not.
--      gated is not '' if workers fetch with take.lua: there are jobs in the room, or limits. limited is '1' if there are limits, else
--      ''. limiter, group: '1' if a worker has declared that, and nobody has removed it since (set-policy.lua), else ''. The pairs: a
--      field that is no number, so no limit, and the first bytes of its value.
--
-- Races
--   Prolonged meanwhile: that and this are single steps; the process that prolongs a pause that is gone pauses the queue again.
--   Memory full: HDEL is allowed.

-- @include lib/queue-pause
-- @include lib/limits

local meta = KEYS[1]
local since = paused_since(meta)
if not since and redis.call('EXISTS', meta) == 1 then
  redis.call('HDEL', meta, 'paused', 'until')
end
local NUMBERS = {
  'concurrency',
  'max',
  'duration',
  'limited',
  'groupConcurrency',
  'groupMax',
  'groupDuration',
  'paused',
  'until',
}
local values = redis.call('HMGET', meta, 'gated', 'declared:limiter', 'declared:group', unpack(NUMBERS))
local limited = limits_of(meta) and '1' or ''
local reply = { since or '', values[1] or limited, limited, values[2] and '1' or '', values[3] and '1' or '' }
for i = 1, #NUMBERS do
  local value = values[3 + i]
  if value and not limit_of(value) then
    reply[#reply + 1] = NUMBERS[i]
    reply[#reply + 1] = string.sub(value, 1, 64)
  end
end
return reply
