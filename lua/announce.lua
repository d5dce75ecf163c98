-- Writes the event `active` of jobs that started a while ago and are still running. For jobs that end sooner, the script
-- that ends them writes it.
--
-- KEYS events prefix
-- ARGV 1 events_cap  2 batch_from  3 jobs  then the columns of the events: see lib/event-batch.lua
-- Reply 1
--
-- Races: sent twice, it writes the events twice. An event is a report, not a state.

-- @include lib/event-batch

local cap, jobs = tonumber(ARGV[1]), tonumber(ARGV[3])
-- There are about ten columns, far below the limit of `unpack`.
local columns = { unpack(ARGV, 4) }
announce_jobs(KEYS[1], KEYS[2], cap, tonumber(ARGV[2]), decimal(now_ms()), 'active', jobs, jobs, columns, {})
return 1
