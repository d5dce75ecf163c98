-- Announces jobs that started a while ago and are still running. Those that end within a batch are announced by the
-- script that ends them.
--
-- KEYS events prefix
-- ARGV 1 events_cap  2 batch_from  3 jobs; then what the events say: see batch.lua
-- Reply 1. Sent twice, it announces twice: an event is a report, not a state.

-- @include lib/events
-- @include lib/batch

local cap, jobs = tonumber(ARGV[1]), tonumber(ARGV[3])
local columns = { unpack(ARGV, 4) }
announce_jobs(KEYS[1], KEYS[2], cap, tonumber(ARGV[2]), decimal(now_ms()), 'active', jobs, jobs, columns, {})
return 1
