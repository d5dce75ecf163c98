-- Reads jobs of a slice of the work stream: those that wait, those that are active, or both. Writes nothing.
--
-- KEYS stream
-- ARGV 1 from  2 to   as XRANGE takes them; as XREVRANGE takes them for the newest first
--      3 order   'oldest' or 'newest' first
--      4 state   'waiting', 'active', or 'any'
--      5 skip    so many jobs of the state are passed over  6 take  the most jobs of the reply
--      7 entries  about how many entries to look at  8 bytes  about how many bytes to read
--      then the jobs that are asked for: see lib/job-filter.lua
-- Reply { next, skipped, row… }: next is where to go on, '' at the end; rows: see lib/job-rows.lua
--
-- An entry waits if no consumer of any group has it. So an entry that a group was moved past waits, too.

-- @include lib/job-rows

local stream, state = KEYS[1], ARGV[4]
local slice = slice_asked_for()
local is_asked_for = read_filter(9)

local groups = groups_of(stream)
if state == 'active' then
  local newest
  for _, group in ipairs(groups) do
    -- Not the last entry that was delivered: entries behind it may have been delivered ahead (lifo).
    local last = group.pending > 0 and redis.call('XPENDING', stream, group.name)[3]
    if last and (not newest or is_before(newest, last)) then
      newest = last
    end
  end
  if not newest then
    return { '', 0 }
  end
  -- No entry behind it is active.
  if slice.newest_first and slice.from == '+' then
    slice.from = newest
  elseif not slice.newest_first and slice.to == '+' then
    slice.to = newest
  end
end

return read_slice(stream, slice, function(entries)
  return pending_of(stream, groups, entries)
end, function(entry, owners)
  local is_of_state = state == 'any' or (state == 'active') == (owners[entry[1]] ~= nil)
  return is_of_state and is_asked_for(field_of(entry[2], 'n') or '', field_of(entry[2], 'd') or '')
end, function(entry, owners)
  return entry_row(entry, owners[entry[1]])
end)
