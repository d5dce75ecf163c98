-- Removes jobs from a slice of one part of the room.
--
-- KEYS room events prefix calls
-- ARGV 1 part         'lifo'; 'prioritized'; 'grouped' = the jobs of all groups; 'group' = those of one
--      2 from         what the step before replied; '' = begin
--      3 before       only jobs that were added before this time, unix ms; '' = all
--      4 number       only jobs that came into the room with this number or before: see lib/room.lua
--      5 most         how many jobs are removed at most
--      6 with_ids     '1' = reply with the ids of the jobs
--      7 events_cap   0 = no events
--      8 group        of 'group'
--      call           see lib/call-replies.lua
-- Reply { next, removed, id… }: next is '' at the end, else the beginning of the last member that was looked at, in hexadecimal.
--
-- Races
--   Start of a job: it and this script are single steps on one slot, so a job is either started or removed.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua.

-- @include lib/envelope
-- @include lib/groups
-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/result-waiters
-- @include lib/cleaned
-- @include lib/free-marked

local room, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local before, number, most, call = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
-- How many members, and how many bytes, one call looks at.
local LOOKS, BYTES = 1000, 524288

-- The bounds of the parts: the members of all groups, which have an id, stand behind those without a group.
local ALONE, FIRST_PRIORITY, FIRST_GROUP = '\0\0', '\0\0\0\0\0\1', '\0\1'
local bounds = ({
  lifo = { '[' .. ALONE, '(' .. FIRST_PRIORITY },
  prioritized = { '[' .. FIRST_PRIORITY, '(' .. FIRST_GROUP },
  grouped = { '[' .. FIRST_GROUP, '+' },
  group = { group_bounds(ARGV[8]) },
})[ARGV[1]]
local at = bounds[1]
if ARGV[2] ~= '' then
  local head = string.gsub(ARGV[2], '%x%x', function(digits)
    return string.char(tonumber(digits, 16))
  end)
  -- Behind all members that begin with it: there is one at most, because the numbers of a rank differ.
  at = '[' .. head .. '\255\255\255\255\255'
end

-- `marked`: ids of jobs with a marker; `bodies`: the bytes of these jobs.
local ids, marked, bodies, groups = {}, {}, {}, {}
local function is_taken(member)
  local place = split_room_member(member)
  local created = before and created_at_of(place.d)
  if place.number > number or before and (not created or created >= before) then
    return false, place.head
  end
  local id = job_id_of(place.d) or ''
  ids[#ids + 1] = id
  groups[place.group] = true
  if place.keep >= 0 then
    marked[#marked + 1] = id
    bodies[#marked] = place.d
  end
  return true, place.head
end

-- Keys of the wrong type fail here, before anything is written.
redis.call('ZCARD', room)
allow_writes_at_memory_limit(prefix)
local page, looks, bytes, last = 1, 0, 0, ''
local is_last
repeat
  page = math.min(page, most - #ids)
  local found = redis.call('ZRANGEBYLEX', room, at, bounds[2], 'LIMIT', 0, page)
  local read, taken = 0, {}
  for i = 1, #found do
    read = read + #found[i]
    local takes, head = is_taken(found[i])
    if takes then
      taken[#taken + 1] = found[i]
    end
    last, at = head, '(' .. found[i]
  end
  if #taken > 0 then
    redis.call('ZREM', room, unpack(taken))
  end
  is_last = #found < page
  looks, bytes = looks + page, bytes + read
  page = math.max(1, math.min(40, math.floor(131072 * #found / (read + 1))))
until is_last or #ids >= most or looks >= LOOKS or bytes >= BYTES

if #ids > 0 then
  forget_groups(prefix, room, groups)
  free_marked(prefix, marked, bodies)
  tell_gone(prefix, 'removed', ids)
  announce_cleaned(events, tonumber(ARGV[7]), #ids, ARGV[1] == 'prioritized' and 'prioritized' or 'wait')
end
local next_from = is_last and '' or string.gsub(last, '.', function(byte)
  return string.format('%02x', string.byte(byte))
end)
return keep_reply(calls, call, step_reply(next_from, ids, ARGV[6]))
