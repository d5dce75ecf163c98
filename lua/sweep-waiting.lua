-- Removes waiting jobs from a slice of the work stream.
--
-- KEYS stream events prefix calls
-- ARGV 1 from  2 to   entry ids, as XRANGE takes them
--      3 before       only jobs that were added before this time, unix ms; '' = all
--      4 most         how many jobs are removed at most
--      5 with_ids     '1' = reply with the ids of the jobs
--      6 events_cap   0 = no events
--      call           see lib/call-replies.lua
-- Reply { next, removed, id… }: next is where to go on, '' at the end.
--
-- Races
--   Delivery: an entry that has been delivered is pending, or was handed to each group, and stays. Delivery and this script are
--     single steps on one slot.
--   Added meanwhile: the caller passes the newest entry as `to`, so later entries stay.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua.

-- @include lib/envelope
-- @include lib/pending
-- @include lib/pages
-- @include lib/split-job
-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/result-waiters
-- @include lib/cleaned
-- @include lib/free-marked

local stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local before, most, call = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
local groups = groups_of(stream)
-- Whether an entry waits: no group has it pending, and one group at least will still deliver it.
local function is_waiting(entry, owners)
  if owners[entry] then
    return false
  end
  for _, group in ipairs(groups) do
    if is_before(group['last-delivered-id'], entry) then
      return true
    end
  end
  return #groups == 0
end

-- `marked`: ids of jobs with a marker; `bodies`: the bytes of these jobs.
local entries, ids, marked, bodies = {}, {}, {}, {}
local function take(entry)
  local d = field_of(entry[2], 'd') or ''
  if before then
    local created = created_at_of(d)
    if not created or created >= before then
      return
    end
  end
  local id = job_id_of(d)
  entries[#entries + 1] = entry[1]
  ids[#ids + 1] = id or entry[1]
  if id and field_of(entry[2], 'u') then
    marked[#marked + 1] = id
    bodies[#marked] = d
  end
end

-- What one call looks at.
local range = { from = ARGV[1], to = ARGV[2], entries = 1000, bytes = 524288 }
local next_entry = each_page(stream, range, function(page)
  local owners = pending_of(stream, groups, page)
  for i = 1, #page do
    if is_waiting(page[i][1], owners) then
      take(page[i])
      if #entries == most then
        return i
      end
    end
  end
end)

if #entries > 0 then
  allow_writes_at_memory_limit(prefix)
  redis.call('XDEL', stream, unpack(entries))
  free_marked(prefix, marked, bodies)
  tell_gone(prefix, 'removed', ids)
  announce_cleaned(events, tonumber(ARGV[6]), #entries, 'wait')
end
return keep_reply(calls, call, step_reply(next_entry, ids, ARGV[5]))
