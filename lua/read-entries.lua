-- Reads jobs of a slice of the work stream: those that wait, those that are active, or both. Writes nothing.
--
-- KEYS stream
-- ARGV 1 from  2 to   as XRANGE takes them; as XREVRANGE takes them for the newest first
--      3 order   'oldest' or 'newest' first
--      4 state   'waiting', 'active', or 'any'
--      5 skip    so many jobs of the state are passed over  6 take  the most jobs of the reply
--      7 entries  about how many entries to look at  8 bytes  about how many bytes to read
--      then the jobs that are asked for: see lib/job-filter.lua
-- Reply { next, skipped, { entry id, job id, msgpack Job, name, consumer, deliveries }… }: next is where to go on, '' at the
--      end. The job id and the Job are '' where the entry has none; consumer is '' and deliveries 0 for a job that waits.
--
-- An entry waits if no consumer of any group has it. So an entry that a group was moved past waits, too.

-- @include lib/pages
-- @include lib/pending
-- @include lib/job-filter

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
    local id, fields = entries[i][1], entries[i][2]
    local owner = owners[id]
    local d, name = field_of(fields, 'd') or '', field_of(fields, 'n') or ''
    if (state == 'any' or (state == 'active') == (owner ~= nil)) and is_asked_for(name, d) then
      if skipped < skip then
        skipped = skipped + 1
      else
        reply[#reply + 1] = { id, job_id_of(d) or '', d, name, owner and owner[1] or '', owner and owner[2] or 0 }
      end
      if #reply - 2 == take then
        return i
      end
    end
  end
end)
reply[2] = skipped
return reply
