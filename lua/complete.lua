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
--     11 frames       per job, each string behind its length: u8 entry id, u16 job id, u16 index of the name, u8 attempt,
--                     u8 duration in µs (both in decimal); with events off, only the entry id
--     12 names        how many; then the distinct dispatch names, the index counts from 0
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
local frames, read = ARGV[11], struct.unpack

local head = owned_head(stream, group, ARGV[2], ARGV[3], ARGV[4], jobs)
local own = head or owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local lost, done = {}, {}
-- By job: its entry id, or false where the lease is not ours; and what its events say.
local entries, ids, names, attempts, durations = {}, {}, {}, {}, {}
local at = 1
for i = 1, jobs do
  local entry
  if cap > 0 then
    local name
    entry, ids[i], name, attempts[i], durations[i], at = read('>I1c0I2c0I2I1c0I1c0', frames, at)
    names[i] = ARGV[13 + name]
  else
    entry, at = read('>I1c0', frames, at)
  end
  if own[entry] then
    done[#done + 1] = entry
    entries[i] = entry
  else
    lost[#lost + 1] = i
    entries[i] = false
  end
end
-- The first write is one that the memory limit does not forbid, so a full server still drains.
if head and #done == jobs then
  finish_head(stream, group, done, ARGV[3], ARGV[4])
else
  finish(stream, group, done)
end

at = 13 + tonumber(ARGV[12])
local returned, values = {}, {}
local told = #done > 0 and somebody_waits(prefix) and {}
for _ = 1, results do
  local index = tonumber(ARGV[at])
  if entries[index] then
    redis.call('SET', prefix .. 'result:' .. ARGV[at + 1], ARGV[at + 2], 'PX', ARGV[9])
    returned[index] = ARGV[at + 3]
    if told then
      ids[index], values[index] = ARGV[at + 1], ARGV[at + 2]
    end
  end
  at = at + 4
end
for _ = 1, uniques do
  if entries[tonumber(ARGV[at])] then
    redis.call('PEXPIRE', prefix .. 'dlid:' .. ARGV[at + 1], ARGV[at + 2])
  end
  at = at + 3
end
if told then
  -- With events off, only those that store a result are known by their id.
  for i = 1, jobs do
    if entries[i] and ids[i] then
      told[#told + 1] = ended_frame(ids[i], values[i] or '')
    end
  end
  tell_ended(prefix, 'completed', told)
end

if cap > 0 and #done > 0 then
  local call = redis.pcall
  local ts = decimal(now_ms())
  -- All starts, then all ends: entries with the same fields in a row take less room and time in the stream.
  for i = 1, unannounced do
    if entries[i] then
      local name = names[i]
      if name == '' then
        call('XADD', events, '*', 'e', 'active', 'id', ids[i], 'ts', ts, 'attempt', attempts[i])
      else
        call('XADD', events, '*', 'e', 'active', 'id', ids[i], 'ts', ts, 'n', name, 'attempt', attempts[i])
      end
    end
  end
  for i = 1, jobs do
    if entries[i] then
      local name, value = names[i], returned[i]
      if name ~= '' and (not value or value == '') then
        call('XADD', events, '*', 'e', 'completed', 'id', ids[i], 'ts', ts, 'n', name, 'attempt', attempts[i], 'duration_us', durations[i])
      else
        local fields = { 'e', 'completed', 'id', ids[i], 'ts', ts, 'attempt', attempts[i], 'duration_us', durations[i] }
        if name ~= '' then
          fields[#fields + 1] = 'n'
          fields[#fields + 1] = name
        end
        if value and value ~= '' then
          fields[#fields + 1] = 'returnvalue'
          fields[#fields + 1] = value
        end
        call('XADD', events, '*', unpack(fields))
      end
    end
  end
  if redis.call('XLEN', stream) == 0 then
    call('XADD', events, '*', 'e', 'drained', 'id', '', 'ts', ts)
  end
  trim_events(events, cap)
end
return lost
