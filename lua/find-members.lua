-- Reads jobs of a slice of the delayed set or of the room, in no order. Writes nothing.
--
-- KEYS read
-- ARGV 1 cursor   '0' = begin
--      2 members  about how many to look at  3 bytes  about how many bytes to read
--      4 place    'delayed' or 'room'
--      5 sha1     only the member with this digest, in hex; '' = any
--      then the jobs that are asked for: see lib/job-filter.lua
-- Reply { cursor, now, row… }: cursor is '0' at the end; now in unix ms; rows: see lib/job-rows.lua
--
-- Races: a job that is in its place during the whole search is found, also if its due time changes. It may be found twice.

-- @include lib/job-rows
-- @include lib/time

local cursor, left, most_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local in_room, sha1, is_asked_for = ARGV[4] == 'room', ARGV[5], read_filter(6)

local reply = { '', decimal(now_ms()) }
local count, bytes = 8, 0
repeat
  local page = redis.call('ZSCAN', KEYS[1], cursor, 'COUNT', count)
  cursor = page[1]
  local members, before = page[2], bytes
  for i = 1, #members, 2 do
    bytes = bytes + #members[i]
    local is_other = sha1 ~= '' and redis.sha1hex(members[i]) ~= sha1
    if in_room and not is_other then
      local place = split_room_member(members[i])
      if is_asked_for(place.name, place.d) then
        reply[#reply + 1] = room_row(members[i], place)
      end
    elseif not is_other and is_asked_for(split_member(members[i])) then
      reply[#reply + 1] = member_row(members[i], members[i + 1])
    end
  end
  left = left - math.max(count, #members / 2)
  count = math.max(1, math.min(20, math.floor(262144 * #members / 2 / (bytes - before + 1))))
until cursor == '0' or left <= 0 or bytes >= most_bytes
reply[1] = cursor
return reply
