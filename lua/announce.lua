-- Writes the event `active` of jobs that started a while ago and are still running. For jobs that end sooner, the script
-- that ends them writes it.
--
-- KEYS events prefix
-- ARGV 1 events_cap  2 batch_from  3 jobs  4 tracked, '' = none: per tracked job a frame: u16 length and job id, u8 length and
--      entry id, u8 length and number of the attempt, u16 length and the attempt; then the columns of the events: see
--      lib/event-batch.lua
-- Reply 1
--
-- Races
--   Sent twice: it writes the events twice. An event is a report, not a state.
--   Ended, released or reclaimed meanwhile: the start of an attempt is written only where the marker `dlid:<id>` says that the
--     job is still this entry. A job that was reclaimed is the same entry; its next attempt has another number.

-- @include lib/event-batch

local cap, jobs = tonumber(ARGV[1]), tonumber(ARGV[3])
-- There are about ten columns, far below the limit of `unpack`.
local columns = { unpack(ARGV, 5) }
local prefix, frames, at = KEYS[2], ARGV[4], 1
local id, entry, number, attempt
while at <= #frames do
  id, entry, number, attempt, at = struct.unpack('>I2c0I1c0I1c0I2c0', frames, at)
  local marker = redis.pcall('GET', prefix .. 'dlid:' .. id)
  if type(marker) == 'string' and string.match(marker, ':(.*)$') == entry then
    redis.pcall('HSET', prefix .. 'job-runs:' .. id, number, attempt)
  end
end
if cap > 0 then
  announce_jobs(KEYS[1], prefix, cap, tonumber(ARGV[2]), decimal(now_ms()), 'active', jobs, jobs, columns, {})
end
return 1
