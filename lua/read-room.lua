-- Reads a slice of one part of the room, in the order in which the jobs run. Writes nothing.
--
-- KEYS room
-- ARGV 1 part    'lifo'; 'prioritized'; 'grouped' = the jobs of all groups, group by group; 'group' = those of one
--      2 group   of 'group'
--      3 order   'first' or 'last' first
--      4 skip    how many jobs of the part come before the slice  5 take  the most jobs of the reply  6 bytes  about how many
--                to read
--      7 after   the member of the last job that was read before: the slice begins behind it, and skip means nothing; '' = none
-- Reply { total, row… }: total is how many jobs the part has; rows: see lib/job-rows.lua. At least one, unless this is the end.
--
-- Races: positions move when jobs start, so a reader that goes on says behind which job.

-- @include lib/job-rows

local room, part, order = KEYS[1], ARGV[1], ARGV[3]
local skip, take, most_bytes, after = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]

-- The positions of the part in the room: how many jobs are before it, and how many it has.
local lifo, prioritized, grouped = count_room(room)
local before, total = 0, lifo
if part == 'prioritized' then
  before, total = lifo, prioritized
elseif part == 'grouped' then
  before, total = lifo + prioritized, grouped
elseif part == 'group' then
  local from, to = group_bounds(ARGV[2])
  before = redis.call('ZLEXCOUNT', room, '-', '(' .. string.sub(from, 2))
  total = redis.call('ZLEXCOUNT', room, from, to)
end
if after ~= '' then
  -- As a bound, a member that has left is as good as one that is there.
  local read = order == 'first' and redis.call('ZLEXCOUNT', room, '-', '[' .. after) - before
    or before + total - redis.call('ZLEXCOUNT', room, '-', '(' .. after)
  skip = math.max(0, read)
end

local reply, bytes, page = { total }, 0, 8
while take > 0 and bytes < most_bytes and skip < total do
  page = math.min(page, take, total - skip)
  local at = order == 'first' and before + skip or before + total - skip - page
  local members, read = redis.call('ZRANGE', room, at, at + page - 1), 0
  for i = 1, #members do
    local member = members[order == 'first' and i or #members + 1 - i]
    read = read + #member
    reply[#reply + 1] = room_row(member)
  end
  skip, take, bytes = skip + page, take - page, bytes + read
  page = math.max(1, math.min(40, math.floor(262144 * page / (read + 1))))
end
return reply
