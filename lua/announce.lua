-- Announces jobs that started a while ago and are still running. Those that end within a batch are announced by the
-- script that ends them.
--
-- KEYS events
-- ARGV 1 events_cap  2 jobs; then, per job: job id, name, attempt
-- Reply 1. Sent twice, it announces twice: an event is a report, not a state.
local events, cap = KEYS[1], ARGV[1]
local ts = decimal(now_ms())
for i = 3, 2 + tonumber(ARGV[2]) * 3, 3 do
  if ARGV[i + 1] == '' then
    redis.call('XADD', events, '*', 'e', 'active', 'id', ARGV[i], 'ts', ts, 'attempt', ARGV[i + 2])
  else
    redis.call('XADD', events, '*', 'e', 'active', 'id', ARGV[i], 'ts', ts, 'n', ARGV[i + 1], 'attempt', ARGV[i + 2])
  end
end
trim_events(events, cap)
return 1
