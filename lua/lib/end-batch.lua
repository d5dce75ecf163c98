-- What the scripts that end a batch of jobs have in common (complete, retry, dead-letter, end-cancelled): their first
-- arguments and the last two, the fence, and the end of the leases. release.lua uses the fence too.

-- @include lib/fence
-- @include lib/cancel-marks
-- @include lib/call-replies
-- @include lib/events
-- @include lib/wake-idle
-- @seldom lib/end-groups

--   1 group  2 consumer  3 first  4 last   the smallest and the largest entry id of the batch
--   5 jobs         how many jobs
--   6 unannounced  the first so many of them have had no `active` event yet; then 'g' if the queue is gated; then, if some of
--                  them are in groups, ':' and per such job: u16 index (from 1), u16 length and the group id
--   last but one: gaps, see fence.lua   last: call, see call-replies.lua
local function read_batch()
  local counts, groups = string.match(ARGV[6], '^(%w+):?(.*)$')
  return {
    group = ARGV[1],
    consumer = ARGV[2],
    first = ARGV[3],
    last = ARGV[4],
    jobs = tonumber(ARGV[5]),
    unannounced = tonumber(string.match(counts, '^%d+')),
    is_gated = string.sub(counts, -1) == 'g',
    groups = groups,
    gaps = ARGV[#ARGV - 1],
    call = ARGV[#ARGV],
  }
end

-- Sorts the entries of a batch. Returns the ids that the caller may end, each once (a batch that has an entry twice ran it
-- twice), and the indices of the other jobs as a set. Adds these indices to `reply`: i = the lease is no longer the caller's;
-- -i = the job was cancelled, and stays in flight for the caller to end.
local function sort_batch(entries, own, cancelled, reply)
  local done, left_out, seen = {}, {}, {}
  for i = 1, #entries do
    local id = entries[i]
    if cancelled[id] then
      reply[#reply + 1] = -i
      left_out[i] = true
    elseif own[id] and not seen[id] then
      seen[id] = true
      done[#done + 1] = id
    else
      reply[#reply + 1] = i
      left_out[i] = true
    end
  end
  return done, left_out
end

-- Asks the fence, and looks for marks of cancel.lua. Returns and replies as sort_batch.
local function fence_batch(stream, prefix, batch, entries, reply)
  local own = own_between(stream, batch.group, batch.consumer, batch.first, batch.last)
  return sort_batch(entries, own, cancelled_among(prefix, entries, own), reply)
end

-- Ends the leases of entries that passed the fence, and removes the entries.
local function end_leases(stream, batch, ids)
  local all = acknowledge(stream, batch.group, ids) == batch.jobs
  remove(stream, ids, all, batch.first, batch.last, batch.gaps)
end

-- Jobs have ended: others may start, if the queue limits how many are in flight. `hold`, if given, gets the groups of the jobs, by
-- index, before others of them may start, and takes out those that have to wait.
local function free_slots(prefix, batch, entries, done, hold)
  if batch.groups ~= '' then
    -- Keys of the wrong type fail no job.
    pcall(function()
      local groups = free_group_slots(prefix, batch.groups, entries, done)
      if hold then
        hold(groups)
      end
      place_startable(prefix, groups)
    end)
  end
  if batch.is_gated then
    wake_idle(prefix, #done)
  end
end

-- Writes the event `drained` if the work stream has no entry left.
local function announce_drained(stream, events, ts)
  if redis.call('XLEN', stream) == 0 then
    write_event(events, 'drained', '', ts, '')
  end
end
