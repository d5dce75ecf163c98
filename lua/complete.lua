-- Completes jobs: ends their leases, removes their entries, stores results, announces.
--
-- KEYS stream events prefix calls
-- ARGV 1 group  2 consumer  3 first  4 last   the smallest and the largest entry id of the batch
--      5 jobs         how many
--      6 unannounced  so many of them, from the first on, have had no `active` event yet
--      7 results      how many of them store a result
--      8 uniques      how many of them were added with an id of the caller's
--      9 result_ttl   ms
--     10 events_cap   0 = no events
--     11 batch_from   see batch.lua
--     12 entries      their entry ids, with a space between
--     13 columns      how many strings; then what the events say: see batch.lua; none with events off
--     then, per result: index of its job (from 1), job id, msgpack value
--     then, per unique: index of its job (from 1), job id, ms for which the id stays taken
--     then in_flight  how many entries this worker believes to be pending for it; it only decides how the fence is asked
--     gaps            see owned.lua   call  see answer.lua
-- Reply { indices (from 1) of jobs whose lease is no longer ours }
--
-- Races: a worker that was stopped or cut off may finish after its job was given to another; the fence finds the entry
-- pending for somebody else, and nothing happens. The same where the group has been set back, by a failover to a replica
-- that had not received the last deliveries, say: what XACK does not count is waiting, or somebody else's. Sent twice,
-- the second time says what the first said.
-- @include lib/owned
-- @include lib/answer
-- @include lib/ids
-- @include lib/events
-- @include lib/batch
-- @include lib/ended
local stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group = ARGV[1]
local jobs, started = tonumber(ARGV[5]), tonumber(ARGV[6])
local results, uniques = tonumber(ARGV[7]), tonumber(ARGV[8])
local cap = tonumber(ARGV[10])
local first, last = ARGV[3], ARGV[4]
local tail = 14 + ARGV[13] + 3 * (results + uniques)
local in_flight, gaps, call = tonumber(ARGV[tail]), ARGV[tail + 1], ARGV[tail + 2]

local said = answered(calls, call, {})
if said then
  return said
end

local done, lost, left_out = {}, {}, {}
for entry in string.gmatch(ARGV[12], '%S+') do
  done[#done + 1] = entry
end
local function keep(is_ours)
  local entries, seen = done, {}
  done = {}
  for i = 1, jobs do
    local entry = entries[i]
    -- A batch that has an entry twice ran it twice; the first of them counts.
    if not seen[entry] and is_ours(entry) then
      seen[entry] = true
      done[#done + 1] = entry
    else
      lost[#lost + 1] = i
      left_out[i] = true
    end
  end
end
-- The first write is one that the memory limit does not forbid, so a full server still drains.
local all
if in_flight and holds_range(stream, group, ARGV[2], first, last, jobs, in_flight) then
  all = acknowledge(stream, group, done) == jobs
  if not all then
    -- Somebody has acknowledged entries of ours, and as many were delivered that we do not know of yet. Those that are
    -- gone he has ended. Those that are there and delivered are pending for nobody now: nobody else will end them.
    local delivered = '0-0'
    for _, of in ipairs(groups_of(stream)) do
      delivered = of.name == group and of.delivered or delivered
    end
    keep(function(entry)
      return not is_before(delivered, entry) and redis.call('XRANGE', stream, entry, entry)[1]
    end)
  end
else
  local own = owned_between(stream, group, ARGV[2], first, last)
  keep(function(entry)
    return own[entry]
  end)
  all = acknowledge(stream, group, done) == jobs
end
remove(stream, done, all, first, last, gaps)

local columns = { unpack(ARGV, 14, 13 + ARGV[13]) }
local at = 14 + ARGV[13]
local told = #done > 0 and somebody_waits(prefix) and {}
-- Of those that somebody may wait for: job id and value, by index. With events off, only those that store a result are
-- known by their id.
local ids, values = {}, {}
if told and cap > 0 then
  local same, each = read_columns(columns)
  ids = same.id and { same.id } or each.id or {}
end
for _ = 1, results do
  local index = tonumber(ARGV[at])
  if not left_out[index] then
    redis.call('SET', prefix .. 'result:' .. ARGV[at + 1], ARGV[at + 2], 'PX', ARGV[9])
    ids[index], values[index] = ARGV[at + 1], ARGV[at + 2]
  end
  at = at + 3
end
for _ = 1, uniques do
  if not left_out[tonumber(ARGV[at])] then
    redis.call('PEXPIRE', prefix .. 'dlid:' .. ARGV[at + 1], ARGV[at + 2])
  end
  at = at + 3
end
if told then
  for i = 1, jobs do
    if ids[i] and not left_out[i] then
      told[#told + 1] = ended_frame(ids[i], values[i] or '')
    end
  end
  tell_ended(prefix, 'completed', told)
end

if cap > 0 and #done > 0 then
  local ts = decimal(now_ms())
  -- All starts, then all ends: entries with the same fields in a row take less room and time in the stream.
  local of = started > 0 and 'active,completed' or 'completed'
  local is_drained = redis.call('XLEN', stream) == 0
  announce_jobs(events, prefix, cap, tonumber(ARGV[11]), ts, of, jobs, started, columns, left_out)
  if is_drained then
    redis.pcall('XADD', events, '*', 'e', 'drained', 'id', '', 'ts', ts)
  end
end
return answer(calls, call, lost, #lost == 0)
