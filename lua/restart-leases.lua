-- Restarts leases after Redis's clock was set back: a lease that began in what is now the future would not run out for as
-- long as the step was. The leases stay with the workers that have them.
--
-- KEYS stream
-- ARGV 1 group
--      2 from    '-', or what the call before replied
--      3 known   '1' = the clock was set back; '' = only if the stream shows it: its newest entry is from the future
-- Reply where to go on, '' at the end. A call looks at 1,000 leases.
--
-- Races: a live worker renews its leases anyway. A lease that began in this very millisecond loses nothing. Sent twice, it
-- restarts the leases twice.

-- @include lib/time
-- @include lib/seal
-- @include lib/ask-group

local stream, group = KEYS[1], ARGV[1]
if redis.call('EXISTS', stream) == 0 then
  return ''
end
if ARGV[3] ~= '1' and tonumber(string.match(last_id_of(stream), '^%d+')) <= now_ms() then
  return ''
end
local pending = ask_group('XPENDING', stream, group, ARGV[2], '+', 1000)
for _, lease in ipairs(pending) do
  -- Redis shows a time in the future as an idle time of 0.
  if lease[3] == 0 then
    redis.call('XCLAIM', stream, group, lease[2], 0, lease[1], 'JUSTID')
  end
end
return #pending == 1000 and '(' .. pending[1000][1] or ''
