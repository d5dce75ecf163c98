-- Completes jobs: ends their leases, removes their entries, stores results, announces.
--
-- KEYS stream events prefix
-- ARGV 1 group  2 consumer  3 first  4 last   the smallest and the largest entry id of the batch
--      5 jobs         how many
--      6 unannounced  so many of them, from the first on, have had no `active` event yet
--      7 results      how many of them store a result
--      8 uniques      how many of them were added with an id of the caller's
--      9 result_ttl   ms
--     10 events_cap   0 = no events
--     then, per job: entry id and, if events are on: job id, name, attempt, duration in µs
--     then, per result: index of its job (from 1), job id, msgpack value, JSON value for the event or ''
--     then, per unique: index of its job (from 1), job id, ms for which the id stays taken
-- Reply { indices (from 1) of jobs whose lease is no longer ours }
--
-- Races: a worker that was stopped or cut off may finish after its job was given to another; the fence finds the entry
-- pending for somebody else, and nothing happens. Sent twice, the second time finds nothing pending.
local stream, events, prefix = KEYS[1], KEYS[2], KEYS[3]
local group = ARGV[1]
local jobs, unannounced = tonumber(ARGV[5]), tonumber(ARGV[6])
local results, uniques = tonumber(ARGV[7]), tonumber(ARGV[8])
local cap = tonumber(ARGV[10])
local width = cap > 0 and 5 or 1

local own = owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local lost, done = {}, {}
for i = 1, jobs do
  local id = ARGV[11 + (i - 1) * width]
  if own[id] then
    done[#done + 1] = id
  else
    lost[#lost + 1] = i
  end
end
-- The first write is one that the memory limit does not forbid, so a full server still drains.
finish(stream, group, done)

local at = 11 + jobs * width
local returned = {}
for _ = 1, results do
  local index = tonumber(ARGV[at])
  if own[ARGV[11 + (index - 1) * width]] then
    redis.call('SET', prefix .. 'result:' .. ARGV[at + 1], ARGV[at + 2], 'PX', ARGV[9])
    returned[index] = ARGV[at + 3]
  end
  at = at + 4
end
for _ = 1, uniques do
  if own[ARGV[11 + (tonumber(ARGV[at]) - 1) * width]] then
    redis.call('PEXPIRE', prefix .. 'dlid:' .. ARGV[at + 1], ARGV[at + 2])
  end
  at = at + 3
end

if cap > 0 and #done > 0 then
  local call = redis.pcall
  local ts = decimal(now_ms())
  for i = 1, jobs do
    local from = 11 + (i - 1) * 5
    if own[ARGV[from]] then
      local id, name, attempt, duration = ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], ARGV[from + 4]
      if i <= unannounced then
        if name == '' then
          call('XADD', events, '*', 'e', 'active', 'id', id, 'ts', ts, 'attempt', attempt)
        else
          call('XADD', events, '*', 'e', 'active', 'id', id, 'ts', ts, 'n', name, 'attempt', attempt)
        end
      end
      local value = returned[i]
      if name == '' or (value and value ~= '') then
        local fields = { 'e', 'completed', 'id', id, 'ts', ts, 'attempt', attempt, 'duration_us', duration }
        if name ~= '' then
          fields[#fields + 1] = 'n'
          fields[#fields + 1] = name
        end
        if value and value ~= '' then
          fields[#fields + 1] = 'returnvalue'
          fields[#fields + 1] = value
        end
        call('XADD', events, '*', unpack(fields))
      else
        call('XADD', events, '*', 'e', 'completed', 'id', id, 'ts', ts, 'n', name, 'attempt', attempt, 'duration_us', duration)
      end
    end
  end
  if redis.call('XLEN', stream) == 0 then
    call('XADD', events, '*', 'e', 'drained', 'id', '', 'ts', ts)
  end
  trim_events(events, cap)
end
return lost
