-- Reports a worker: who it is, and how it does. The report expires if it is not repeated.
--
-- KEYS prefix
-- ARGV 1 consumer
--      2 ttl_ms      how long the report is kept
--      3 started_at  when the worker started, as the first report replied; '' = this is the first
--      then field and value, in turns
-- Reply started_at, in unix ms, as text
--
-- Races
--   Sent twice: the second call writes the same.
--   Carried out after the worker has closed (remove-consumers.lua deletes the report): it expires.
--   Worker dead halfway: the report expires.
--   Memory full: nothing is written, and the caller reports again later.

-- @include lib/time

local key, now = KEYS[1] .. 'worker:' .. ARGV[1], decimal(now_ms())
local started = ARGV[3] ~= '' and ARGV[3] or now
redis.call('HSET', key, 'startedAt', started, 'lastSeen', now, unpack(ARGV, 4))
redis.call('PEXPIRE', key, ARGV[2])
return started
