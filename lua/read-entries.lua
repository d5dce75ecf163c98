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
local range = {
  from = ARGV[1],
  to = ARGV[2],
  newest_first = ARGV[3] == 'newest',
  entries = tonumber(ARGV[7]),
  bytes = tonumber(ARGV[8]),
}
local skip, take = tonumber(ARGV[5]), tonumber(ARGV[6])
local is_asked_for = read_filter(9)

local groups = groups_of(stream)
if state == 'active' then
  local delivered
  for _, group in ipairs(groups) do
    if group.pending > 0 and (not delivered or is_before(delivered, group['last-delivered-id'])) then
      delivered = group['last-delivered-id']
    end
  end
  if not delivered then
    return { '', 0 }
  end
  -- No entry behind it is active.
  if range.newest_first and range.from == '+' then
    range.from = delivered
  elseif not range.newest_first and range.to == '+' then
    range.to = delivered
  end
end

local reply, skipped = { '', 0 }, 0
reply[1] = each_page(stream, range, function(entries)
  local owners = pending_of(stream, groups, entries)
  for i = 1, #entries do
    local owner, fields = owners[entries[i][1]], entries[i][2]
    local is_of_state = state == 'any' or (state == 'active') == (owner ~= nil)
    if is_of_state and is_asked_for(field_of(fields, 'n') or '', field_of(fields, 'd') or '') then
      if skipped < skip then
        skipped = skipped + 1
      else
        reply[#reply + 1] = entry_row(entries[i], owner)
      end
      if #reply - 2 == take then
        return i
      end
    end
  end
end)
reply[2] = skipped
return reply
