-- Reads the policy of a queue: what its workers may do. Writes nothing.
--
-- KEYS meta
-- Reply { paused }: since when the queue is paused, in unix ms, as text; '' if it is not.
return { redis.call('HGET', KEYS[1], 'paused') or '' }
