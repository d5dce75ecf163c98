-- Completes jobs: ends their leases, removes their entries, stores results, writes events.
--
-- KEYS stream events prefix calls
-- ARGV 1–6 see lib/end-batch.lua
--      7 results      how many of the jobs store a result
--      8 uniques      how many were added with an id of the caller's
--      9 result_ttl   ms
--     10 events_cap   0 = no events
--     11 batch_from   see lib/event-batch.lua
--     12 entries      the entry ids, with a space between them
--     13 columns      how many strings follow with the columns of the events; 0 with events off; then these
--     per result: index of its job (from 1), job id, msgpack value
--     per unique: index of its job (from 1), job id, ms for which the id stays taken
--     tracked         frames of the tracked jobs, '' = there are none: u16 index of the job (from 1), u16 length and job id, u32
--                     the attempt to delete from `job-runs` because the record replaces it, 0 = none; u8: bits 1 = the record
--                     is kept, 2 = the bytes of the Job come from the entry, 4 = the id is free now; u32 length and the record
--     dedups          frames of the jobs with a deduplication id, '' = there are none: see `release_ended` of lib/dedup.lua
--     most, age       how many completed jobs are kept, '' = all; for how many ms, '' = for good
--     in_flight       how many entries the worker believes to be pending for it; it only decides how the fence is checked
--     gaps, call      see lib/end-batch.lua
-- Reply { indices (from 1) of jobs whose lease is no longer the caller's }
--
-- Races
--   Lease lost: a worker that was stopped or cut off may finish after its job was reclaimed. The entry is pending for
--     another consumer then, and the script leaves it alone.
--   Rolled back: a failover to a replica that had not received the last deliveries sets the group back. An entry that XACK
--     does not count is waiting again, or in flight elsewhere, and the script leaves it alone.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: the first write is XACK, which the memory limit allows, so a full server drains.
--   Index of completed jobs of the wrong type: the jobs complete and are kept, and are not listed.

-- @include lib/end-batch
-- @include lib/stream-info
-- @include lib/event-batch
-- @include lib/result-waiters
-- @seldom lib/keep-completed
-- @seldom lib/dedup

local stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local batch = read_batch()
local group, first, last, jobs = batch.group, batch.first, batch.last, batch.jobs
local results, uniques = tonumber(ARGV[7]), tonumber(ARGV[8])
local cap = tonumber(ARGV[10])

local said = kept_reply(calls, batch.call, {})
if said then
  return said
end

-- Whether the script may skip asking the fence for each entry, which costs more than the rest of a completion: no other
-- consumer has an entry pending between the first and the last, so what XACK counts there is this worker's; and as many
-- entries are pending for the worker as it believes, so XACK should count all. Skipped when other consumers exceed an eighth
-- of the jobs, because the check costs one call per consumer.
local function owns_range(in_flight)
  local consumers = ask_group('XPENDING', stream, group)[4]
  if not consumers or #consumers > jobs / 8 then
    return false
  end
  local has_all = false
  for i = 1, #consumers do
    local name = consumers[i][1]
    if name == batch.consumer then
      has_all = tonumber(consumers[i][2]) >= in_flight
    elseif #redis.call('XPENDING', stream, group, first, last, 1, name) > 0 then
      return false
    end
  end
  return has_all
end

local entries, reply, left_out = {}, {}, {}
for entry in string.gmatch(ARGV[12], '%S+') do
  entries[#entries + 1] = entry
end
-- Before the entries are gone: some records take the bytes of the Job from there.
local tracked = ARGV[#ARGV - 6] ~= '' and read_tracked(ARGV[#ARGV - 6], stream, entries)
local done, all = entries, false
if owns_range(tonumber(ARGV[#ARGV - 2])) then
  all = acknowledge(stream, group, entries) == jobs
  if not all then
    -- Somebody has acknowledged some of these entries, and as many others were delivered that the worker does not know of
    -- yet. A worker that acknowledged an entry and deleted it has ended the job. An entry that is still there and was
    -- delivered is pending for no consumer now, so this script ends it.
    local delivered, own = '0-0', {}
    for _, of in ipairs(groups_of(stream)) do
      delivered = of.name == group and of['last-delivered-id'] or delivered
    end
    for i = 1, #entries do
      local entry = entries[i]
      own[entry] = not is_before(delivered, entry) and #redis.call('XRANGE', stream, entry, entry) > 0
    end
    done, left_out = sort_batch(entries, own, {}, reply)
  end
else
  done, left_out = sort_batch(entries, own_between(stream, group, batch.consumer, first, last), {}, reply)
  all = acknowledge(stream, group, done) == jobs
end
remove(stream, done, all, first, last, batch.gaps)
free_slots(prefix, batch, entries, done)

-- There are about ten columns, far below the limit of `unpack`.
local columns = { unpack(ARGV, 14, 13 + ARGV[13]) }
local at = 14 + ARGV[13]
local told = #done > 0 and has_waiters(prefix) and {}
-- Job id and result, by index, of the jobs that a result waiter may wait for. With events off, only jobs that store a result
-- are known by their id.
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
if tracked then
  keep_tracked(prefix, tracked, left_out, ids, values, ARGV[#ARGV - 4], ARGV[#ARGV - 3])
end
if ARGV[#ARGV - 5] ~= '' then
  release_ended(stream, prefix, ARGV[#ARGV - 5], left_out)
end
if told then
  for i = 1, jobs do
    if ids[i] and not left_out[i] then
      told[#told + 1] = ended_frame(ids[i], values[i] or '')
    end
  end
  tell_waiters(prefix, 'completed', told)
end

if cap > 0 and #done > 0 then
  local ts = decimal(now_ms())
  local unannounced = batch.unannounced
  -- First all starts, then all ends: consecutive entries with the same fields take less room and time in the stream.
  local of = unannounced > 0 and 'active,completed' or 'completed'
  announce_jobs(events, prefix, cap, tonumber(ARGV[11]), ts, of, jobs, unannounced, columns, left_out)
  announce_drained(stream, events, ts)
end
return keep_reply(calls, batch.call, reply, #reply == 0)
