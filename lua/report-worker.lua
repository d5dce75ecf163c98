-- Reports a worker: who it is, and how it does. The report expires if it is not repeated.
--
-- KEYS report
-- ARGV 1 ttl_ms      how long the report is kept
--      2 started_at  when the worker started, as the first report replied; '' = this is the first
--      then field and value, in turns
-- Reply started_at, in unix ms, as text
--
-- Races
--   Sent twice: the second call writes the same.
--   Carried out after the worker has closed (remove-consumers.lua deletes the report): it expires.
--   Worker dead halfway: the report expires.
--   Slot moving: the report is the only key, so it is written where it is. A report on both nodes would stop the move.
--   Memory full: nothing is written, and the caller reports again later.

-- @include lib/time

local key, now = KEYS[1], decimal(now_ms())
local started = ARGV[2] ~= '' and ARGV[2] or now
redis.call('HSET', key, 'startedAt', started, 'lastSeen', now, unpack(ARGV, 3))
redis.call('PEXPIRE', key, ARGV[1])
return started
